"""Request middleware: the request id, the log line, and the response to unhandled errors."""

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from nixery.http.lane import Lane
from nixery.http.leaving import ClientLeft
from nixery.wire.drain import Drain
from nixery.wire.zerocopy import ZERO_COPY

log = structlog.get_logger()

ErrorHandler = Callable[[Request, Exception], Response]

# UUIDs, ULIDs and trace ids of proxies. Other characters could forge log lines.
_VALID_ID = re.compile(r"[A-Za-z0-9._:=+/-]{8,128}")
# Characters that are logged. Names have up to 255, digests 71, but a client may send 64 KiB.
_MAX_PATH = 512
_MAX_USER_AGENT = 200
_CLIENT_LEFT = 499  # nginx's status for a closed connection, for the log only


def is_registry(path: str) -> bool:
    return path == "/v2" or path.startswith("/v2/")


def request_id(given: str | None) -> str:
    """The client's X-Request-Id if it is valid, else a new id."""
    return given if given and _VALID_ID.fullmatch(given) else uuid.uuid4().hex


@dataclass(slots=True)
class ResponseRecord:
    """What was sent so far."""

    status: int | None = None
    body_bytes: int = 0
    complete: bool = False


class RequestContext:
    """The outermost middleware; everything else runs inside its ``try``."""

    def __init__(self, app: ASGIApp, on_error: ErrorHandler, drain: Drain) -> None:
        self._app = app
        self._on_error = on_error
        self._drain = drain
        self._lane = Lane()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = request_id(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = identity
        outcome = ResponseRecord()
        began = time.perf_counter()
        with bound_contextvars(request_id=identity), self._drain.request():
            try:
                await self._lane.turn(scope["path"])
                await self._answer(scope, receive, _Recorder(scope, identity, outcome, send))
                if outcome.status == 200:
                    self._lane.served(scope["path"])
            finally:
                _log(scope, outcome, time.perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, send: "_Recorder") -> None:
        try:
            await self._app(scope, receive, send)
        except ClientLeft:
            send.outcome.status = send.outcome.status or _CLIENT_LEFT
        except Exception as error:
            if send.outcome.status is not None:
                # The headers are sent, so only a broken connection can still signal the failure.
                raise
            response = self._on_error(Request(scope), error)
            await response(scope, receive, send)


class _Recorder:
    """``send`` that adds the common headers and counts the bytes."""

    def __init__(self, scope: Scope, identity: str, outcome: ResponseRecord, send: Send) -> None:
        self.outcome = outcome
        self._head = scope["method"] == "HEAD"
        self._headers = {"X-Request-Id": identity}
        if is_registry(scope["path"]):
            self._headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(self._headers)
            self.outcome.status = message["status"]
        await self._send(message)
        if message["type"] in ("http.response.body", ZERO_COPY):
            if not self._head:  # the server drops the body of a HEAD
                self.outcome.body_bytes += message.get("count") or len(message.get("body", b""))
            self.outcome.complete = not message.get("more_body", False)


def _log(scope: Scope, outcome: ResponseRecord, seconds: float) -> None:
    log.info(
        "request",
        method=scope["method"],
        # Quoted again: the log is read by people and must not contain decoded line breaks. Digests
        # and names stay readable, since people search for them.
        path=quote(scope["path"][:_MAX_PATH], safe="/:@+,", errors="replace"),
        status=outcome.status,
        bytes=outcome.body_bytes,
        ms=round(seconds * 1000, 2),
        user_agent=_user_agent(scope),
        **({} if outcome.complete else {"aborted": True}),
    )


def _user_agent(scope: Scope) -> str:
    # In Latin-1, a byte may be a control character: 0x9b starts a terminal control sequence.
    given = Headers(scope=scope).get("user-agent", "")[:_MAX_USER_AGENT]
    return given.encode("ascii", "backslashreplace").decode()

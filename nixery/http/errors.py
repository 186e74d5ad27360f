"""Rendering of errors as the registry's JSON.

    HTTP/1.1 404 Not Found
    Content-Type: application/json
    Cache-Control: no-store

    {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "…", "detail": {…}}]}

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes
"""

import errno
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.responses import Response

from nixery.errors import (
    DigestInvalid,
    ErrorStatus,
    NameInvalid,
    NixeryError,
    StorageFull,
    TooBusy,
)
from nixery.http.redaction import redact

ALLOWED = "GET, HEAD"
READ_ONLY = "this registry accepts no pushes: it builds the images that are pulled"

_CODES = {
    401: "UNAUTHORIZED",
    403: "DENIED",
    404: "UNSUPPORTED",
    416: "RANGE_INVALID",
    429: "TOOMANYREQUESTS",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """The content of an error response."""

    status: int
    code: str
    message: str
    detail: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """Whether the error is internal and the operator should see it."""
        return self.status >= 500


def describe(error: Exception, mode: ErrorStatus, request_id: str) -> Failure:
    """``request_id`` leads to the log lines, which contain more than the response."""
    match _known(error):
        case HTTPException() as known:
            if known.status_code == 405:
                # All routes allow the same methods. The order that Starlette lists them in varies.
                return Failure(405, "UNSUPPORTED", READ_ONLY, {}, {"Allow": ALLOWED})
            code = _CODES.get(known.status_code, "UNKNOWN")
            return Failure(known.status_code, code, known.detail, {}, dict(known.headers or {}))
        case NixeryError() as known if (status := known.http_status(mode)) != 500:
            detail = _redacted(known.detail())
            detail |= {"request_id": request_id} if status >= 500 else {}
            headers = {} if known.retry_after is None else {"Retry-After": str(known.retry_after)}
            # Clients print one line, but a message of Nix may have several.
            message = " ".join(known.message.split())
            # An invalid name is only the client's own text, and nothing was looked up.
            shown = message if isinstance(known, NameInvalid | DigestInvalid) else redact(message)
            return Failure(status, known.code, shown, detail, headers)
        case _:
            message = f"internal error: see the registry's log for request {request_id}"
            return Failure(500, "UNKNOWN", message, {"request_id": request_id})


def explain(error: Exception) -> Mapping[str, object]:
    """For the log: the message, and the origin of an unexpected exception."""
    match _known(error):
        case NixeryError() as known:
            cause = {"because": _said(known.__cause__)} if known.__cause__ else {}
            return {"error": known.message, **cause, **({"log": known.log} if known.log else {})}
        case HTTPException() as known:
            return {"error": known.detail}
        case _:
            return {"error": _said(error), "exc_info": error}


def _redacted(detail: dict[str, object]) -> dict[str, object]:
    log = detail.get("log")
    return (
        detail | {"log": [redact(str(line)) for line in log]} if isinstance(log, list) else detail
    )


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def render(failure: Failure) -> Response:
    error = {"code": failure.code, "message": failure.message, "detail": failure.detail}
    # json.dumps escapes non-ASCII, so a lone surrogate of a build log cannot fail here.
    return Response(
        json.dumps({"errors": [error]}).encode(),
        failure.status,
        {
            **failure.headers,
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _known(error: Exception) -> Exception:
    """``error`` as one of nixery.errors if it corresponds to one, else itself."""
    for leaf in _leaves(error):
        if isinstance(leaf, NixeryError | HTTPException):
            return leaf
        if isinstance(leaf, OSError) and leaf.errno in (errno.ENOSPC, errno.EDQUOT):
            return StorageFull("the registry's disk is full; stored images can still be pulled")
        if isinstance(leaf, OSError) and leaf.errno in (errno.EMFILE, errno.ENFILE):
            return TooBusy("the registry has too many files open; try again in a moment")
    return error


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The only error of a group: a task group wraps even a single one."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error

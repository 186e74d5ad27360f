"""Health probes: liveness of the process, and readiness of what it depends on.

    /livez    200 while the event loop runs; a 503 would only get the process killed
    /readyz   200 {"disk": "ok", …}, or 503 with a reason for each failed check

A server that is not ready still serves cached images.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nixery.errors import NixeryError
from nixery.http.redaction import redact
from nixery.oci import canonical_json
from nixery.wire.drain import Drain

Check = Callable[[], Awaitable[None]]
"""Raises NixeryError or OSError with the reason."""

CHECK_TIMEOUT = 5.0
"""Seconds for one check; orchestrators wait about as long."""
RESULT_SECONDS = 5.0
"""Seconds for which a result is reused, so that several probes do not run many Nix commands."""


class Probes:
    def __init__(
        self, checks: Mapping[str, Check], drain: Drain, clock: Callable[[], float]
    ) -> None:
        """``clock``: monotonic, in seconds."""
        self._checks = checks
        self._drain = drain
        self._clock = clock
        self._known: tuple[float, dict[str, str]] | None = None
        self._looking = asyncio.Lock()

    def routes(self) -> list[Route]:
        return [Route("/livez", self.alive), Route("/readyz", self.ready)]

    async def alive(self, _request: Request) -> Response:
        return _answer(200, {"event loop": "ok"})

    async def ready(self, _request: Request) -> Response:
        results = await self.results()
        healthy = all(result == "ok" for result in results.values())
        # Anybody can request this, not only load balancers.
        shown = {check: redact(result) for check, result in results.items()}
        return _answer(200 if healthy else 503, shown)

    async def results(self) -> dict[str, str]:
        """By check: ``ok``, or the reason of the failure."""
        draining = {"draining": "the server is shutting down"} if self._drain.draining else {}
        async with self._looking:
            if self._known is None or self._clock() - self._known[0] >= RESULT_SECONDS:
                names = list(self._checks)
                reasons = await asyncio.gather(*(_reason(self._checks[name]) for name in names))
                self._known = (self._clock(), dict(zip(names, reasons, strict=True)))
            return self._known[1] | draining


async def _reason(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT:g} seconds"
    except NixeryError as error:
        return error.message
    except OSError as error:
        return error.strerror or str(error)
    return "ok"


def _answer(status: int, content: Mapping[str, str]) -> Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(canonical_json(content), status, headers)

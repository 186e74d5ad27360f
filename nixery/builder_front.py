"""What clients are told: an image, or why there is none.

A client asks twice, with HEAD and with GET; a cluster asks a hundred times at once. Each question
is answered once, within a time, and a refusal is repeated for a while instead of being worked out
anew.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
import anyio.to_thread
import structlog

from nixery import image_name
from nixery.builder import Image
from nixery.cache import Failures
from nixery.concurrency.single_flight import SingleFlight
from nixery.errors import NixeryError, TimedOut, TooBusy
from nixery.image_name import ImageRequest
from nixery.logs.throttle import LogThrottle

log = structlog.get_logger()


class ImageBuilder(Protocol):
    """``nixery.builder.Builder`` is the real one, and says what it raises."""

    async def image(self, request: ImageRequest, tag: str, deadline: float) -> Image: ...

    async def cancel(self) -> None: ...


class BuilderFront:
    def __init__(
        self,
        images: ImageBuilder,
        failures: Failures,
        request_timeout: float,
        max_dots: int = image_name.MAX_DOTS,
    ) -> None:
        """``request_timeout``: seconds from a client's question to the last stored blob.

        ``max_dots``: in one package's name.
        """
        self._max_dots = max_dots
        self._images = images
        self._failures = failures
        self._request_timeout = request_timeout
        self._flights: SingleFlight[Image] = SingleFlight()
        self._refusals = LogThrottle(lambda counts: log.warning("too many images wait", **counts))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["BuilderFront"]:
        """Work that is under way when the block is left is cancelled."""
        async with self._flights:
            # Loads anyio's backend and starts a thread: the first pull need not wait for that.
            await anyio.to_thread.run_sync(bool)
            yield self

    async def cancel(self) -> None:
        """Ends all work; whoever waits gets ShuttingDown."""
        await self._images.cancel()
        await self._flights.cancel()

    async def image(self, name: str, tag: str) -> Image:
        """Raises the errors of nixery.errors, each with what the client is to be told."""
        request, tag = image_name.parse(name, self._max_dots), image_name.parse_tag(tag)
        if failure := self._failures.recall((request, tag)):
            raise failure.with_traceback(None)  # else it would grow with everyone who is told
        return await self._flights.run((request, tag), lambda _: self._answer(name, request, tag))

    async def _answer(self, name: str, request: ImageRequest, tag: str) -> Image:
        structlog.contextvars.bind_contextvars(image=name, tag=tag)
        deadline = anyio.current_time() + self._request_timeout
        try:
            return await self._images.image(request, tag, deadline)
        except TimeoutError:
            failure: NixeryError = TimedOut(
                f"{name} was not ready after {self._request_timeout:g} seconds; "
                "what was built so far is kept, so pulling again continues from there",
                cause="request_timeout",
            )
        except TooBusy:
            # The next attempt may succeed. A crowd of them must not fill the log.
            self._refusals.note("refused")
            raise
        except NixeryError as error:
            failure = error
        log.warning("image failed", error=failure.message, cause=failure.cause)
        self._failures.remember((request, tag), failure)
        raise failure

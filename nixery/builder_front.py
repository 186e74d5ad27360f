"""Front of the builder: deduplicates requests, applies the time limit, caches failures.

A client sends HEAD and GET for each image, and a cluster sends a hundred requests at once. Each
image is requested from the builder once, within the time limit. Failures are repeated for a while
instead of being computed again.
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
    """The image operations that the front needs, implemented by ``nixery.builder.Builder``."""

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
        """``request_timeout``: seconds from a client's request to the last stored blob.

        ``max_dots``: the limit in a package name.
        """
        self._max_dots = max_dots
        self._images = images
        self._failures = failures
        self._request_timeout = request_timeout
        self._flights: SingleFlight[Image] = SingleFlight()
        self._refusals = LogThrottle(lambda counts: log.warning("too many images wait", **counts))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["BuilderFront"]:
        """Leaving the block cancels all requests."""
        async with self._flights:
            # Loads anyio's backend and starts a thread now, so that the first pull does not wait
            # for it.
            await anyio.to_thread.run_sync(bool)
            yield self

    async def cancel(self) -> None:
        """Cancels all builds; callers get ShuttingDown."""
        await self._images.cancel()
        await self._flights.cancel()

    async def image(self, name: str, tag: str) -> Image:
        """Raises the errors of nixery.errors."""
        request, tag = image_name.parse(name, self._max_dots), image_name.parse_tag(tag)
        if failure := self._failures.get((request, tag)):
            raise failure.with_traceback(None)  # otherwise it grows with every raise
        return await self._flights.run((request, tag), lambda _: self._answer(name, request, tag))

    async def _answer(self, name: str, request: ImageRequest, tag: str) -> Image:
        structlog.contextvars.bind_contextvars(image=name, tag=tag)
        deadline = anyio.current_time() + self._request_timeout
        try:
            return await self._images.image(request, tag, deadline)
        except TimeoutError:
            failure: NixeryError = TimedOut(
                f"{name} was not ready after {self._request_timeout:g} seconds; "
                "finished builds are kept, so another pull continues from there",
                cause="request_timeout",
            )
        except TooBusy:
            # The next attempt may succeed, so this is not cached. The throttle keeps the log small.
            self._refusals.note("refused")
            raise
        except NixeryError as error:
            failure = error
        log.warning("image failed", error=failure.message, cause=failure.cause)
        self._failures.put((request, tag), failure)
        raise failure

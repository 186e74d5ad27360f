"""Schedule of learning: when a table of units is learned, and whether it is published.

Checked hourly. A table is learned when ENOUGH_IMAGES images were built since the last one, or at
least one image and a day has passed, but never from fewer than LEAST images. It is published if it
saves enough (``worth_publishing``), in place of the table that it was compared with.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
import structlog

from nixery.errors import NixeryError
from nixery.human_units import DAY
from nixery.learning import child
from nixery.learning.requested_images import RequestedImages
from nixery.lease import Sleep
from nixery.storage import Storage
from nixery.tables.published import Pointer, Published

log = structlog.get_logger()

INTERVAL = 3600.0
LEAST = 50
"""Images. With fewer, a table of ``nixery popcount`` is better."""
ENOUGH_IMAGES = 50
LEARNING_TIMEOUT = 600.0
"""Seconds. 300 images take some, of 1,000 large packages a minute or two on an idle core."""

Learn = Callable[[bytes], Awaitable[bytes]]
"""Runs ``child.answer`` in another process."""


@dataclass(frozen=True, slots=True)
class Known:
    """The input of learning."""

    images: Sequence[bytes]
    """Records."""
    start: bytes | None
    units: bytes | None
    pointer: Pointer
    """The pointer to those units."""


@dataclass(frozen=True, slots=True)
class Learned:
    images: int
    current: str | None
    """The current version afterwards, possibly published by another replica."""
    is_new: bool


def is_time(times: Sequence[float], learned: float | None, now: float) -> bool:
    """``times``: when each image was recorded. ``learned``: when it was last learned, or None."""
    if len(times) < LEAST:
        return False
    new = sum(learned is None or time > learned for time in times)
    return new >= ENOUGH_IMAGES or (new > 0 and (learned is None or now - learned >= DAY))


async def in_a_process(request: bytes) -> bytes:
    """Runs the child process. Kills it on timeout, or when the server shuts down.

    Raises NixeryError if it fails, TimeoutError and OSError.
    """
    with anyio.fail_after(LEARNING_TIMEOUT):
        done = await anyio.run_process(
            [sys.executable, "-m", child.__name__],
            input=request,
            check=False,
            # In an environment built by Nix, only this process's sys.path has the packages.
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
        )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise NixeryError(f"learning exited with status {done.returncode}: {said}")
    return done.stdout


class Learner:
    def __init__(
        self,
        asked: RequestedImages,
        published: Published,
        budget: int,
        *,
        sleep: Sleep = asyncio.sleep,
        learn: Learn = in_a_process,
    ) -> None:
        """``budget``: the server's layer budget."""
        self._asked = asked
        self._published = published
        self._budget = budget
        self._sleep = sleep
        self._learn = learn
        self._learned: float | None = None

    async def keep_learning(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await self._sleep(INTERVAL)
            try:
                await self.check()
            except (NixeryError, OSError, TimeoutError) as error:
                log.warning("no table was learned", error=str(error))
            except Exception:  # the next attempt may succeed
                log.exception("no table was learned")

    async def check(self) -> None:
        """Learns if it is time, and publishes if it pays."""
        now, times = await anyio.to_thread.run_sync(self._asked.times)
        if is_time(times, self._learned, now):
            self._learned = now  # also after a failure, which is not repeated every hour
            await self.learn()

    async def learn(self) -> "Learned":
        """Learns now; publishes if it pays."""
        known = await anyio.to_thread.run_sync(self._known)
        request = child.request(known.images, known.start, known.units, self._budget)
        table = await self._learn(request)
        log.info("learned from requested images", images=len(known.images), pays=bool(table))
        current = known.pointer
        if table:
            current = await anyio.to_thread.run_sync(
                self._published.publish, "units", table, known.pointer
            )
        return Learned(len(known.images), current.version, current != known.pointer)

    def _known(self) -> Known:
        # Read first, so that whatever is published from here on wins.
        pointer = self._published.current("units")
        units = self._published.read("units", pointer.version) if pointer.version else None
        version = self._published.current("start").version
        start = self._published.read("start", version) if version else None
        return Known(self._asked.latest(), start, units, pointer)


def learn_once(storage: Storage, budget: int) -> Learned:
    """Learns now. Blocks; raises NixeryError and the errors of ``in_a_process``."""
    asked = RequestedImages(storage, lambda work: work())
    return anyio.run(Learner(asked, Published(storage), budget).learn)

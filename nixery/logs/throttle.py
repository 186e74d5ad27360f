"""Throttle for events that attacks repeat: one line of the log per minute.

throttle = LogThrottle(lambda counts: log.warning("too many connections", **counts))
throttle.note("refused")       logs at once: refused=1
throttle.note("refused")       logs after a minute, with the count since then: refused=1
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

EVERY = 60.0
"""Seconds between two lines."""

Later = Callable[[float, Callable[[], None]], object]
"""Calls a function after a number of seconds."""


def _later(seconds: float, function: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, function)


class LogThrottle:
    """For the event loop's thread only."""

    def __init__(
        self, report: Callable[[Mapping[str, int]], object], later: Later = _later
    ) -> None:
        """``report`` gets the number of events of each kind since its last call."""
        self._report = report
        self._later = later
        self._counts: Counter[str] = Counter()
        self._is_pausing = False

    def note(self, kind: str) -> None:
        self._counts[kind] += 1
        if not self._is_pausing:
            self._tell()

    def _tell(self) -> None:
        self._is_pausing = bool(self._counts)
        if self._counts:
            counts, self._counts = self._counts, Counter()
            self._later(EVERY, self._tell)
            self._report(counts)

"""Tally: what happens often in an attack, in one line of the log a minute.

tally = Tally(lambda counts: log.warning("too many connections", **counts))
tally.note("refused")          logs at once: refused=1
tally.note("refused")          and again a minute later, if only then: refused=1
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

EVERY = 60.0
"""Seconds between two lines."""

Later = Callable[[float, Callable[[], None]], object]
"""Calls a function after so many seconds."""


def _later(seconds: float, function: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, function)


class LogThrottle:
    """Used in the event loop."""

    def __init__(
        self, report: Callable[[Mapping[str, int]], object], later: Later = _later
    ) -> None:
        """``report`` gets how often each kind of event happened since its last call."""
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

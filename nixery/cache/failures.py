"""Requests that failed a moment ago."""

import heapq
from collections.abc import Callable, Hashable
from itertools import count

from nixery.errors import NixeryError

MAX_FAILURES = 2_000
"""Failures; each may hold some kilobytes of a build's log."""


class Failures:
    """Answers a request that failed a moment ago without another attempt.

    Docker asks with HEAD and then with GET, and people ask again at once: a failure costs one
    run of Nix for all of them. How long one is remembered is the error's own (``remembered``).
    Where there are too many, those are forgotten whose time ends first.
    """

    def __init__(self, clock: Callable[[], float], most: int = MAX_FAILURES) -> None:
        """``clock``: seconds, monotonic."""
        self._clock = clock
        self._most = most
        self._failures: dict[Hashable, tuple[int, NixeryError]] = {}
        self._ends: list[tuple[float, int, Hashable]] = []  # a heap; numbers keep keys apart
        self._numbers = count()

    def recall(self, key: Hashable) -> NixeryError | None:
        now = self._clock()
        while self._ends and self._ends[0][0] <= now:
            self._forget_first()
        entry = self._failures.get(key)
        return entry[1] if entry else None

    def remember(self, key: Hashable, error: NixeryError) -> None:
        if error.remembered is None:
            return
        while len(self._ends) >= self._most:
            self._forget_first()
        number = next(self._numbers)
        self._failures[key] = (number, error)
        heapq.heappush(self._ends, (self._clock() + error.remembered, number, key))

    def _forget_first(self) -> None:
        _, number, key = heapq.heappop(self._ends)
        entry = self._failures.get(key)
        if entry is not None and entry[0] == number:  # else it has failed again since
            del self._failures[key]

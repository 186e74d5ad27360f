"""Cache of recent failures."""

import heapq
from collections.abc import Callable, Hashable
from itertools import count

from nixery.errors import NixeryError

MAX_FAILURES = 2_000
"""Failures; each may hold some kilobytes of a build log."""


class Failures:
    """Repeats the failure of a recent request instead of another attempt.

    Docker sends HEAD and then GET, and people retry at once: a failure costs one run of Nix for all
    of them. Each error has its own lifetime (``remembered``). If there are too many, those that
    expire first are dropped.
    """

    def __init__(self, clock: Callable[[], float], most: int = MAX_FAILURES) -> None:
        """``clock``: monotonic, in seconds."""
        self._clock = clock
        self._most = most
        self._failures: dict[Hashable, tuple[int, NixeryError]] = {}
        self._ends: list[
            tuple[float, int, Hashable]
        ] = []  # a heap; the numbers make entries comparable
        self._numbers = count()

    def get(self, key: Hashable) -> NixeryError | None:
        now = self._clock()
        while self._ends and self._ends[0][0] <= now:
            self._drop_first()
        entry = self._failures.get(key)
        return entry[1] if entry else None

    def put(self, key: Hashable, error: NixeryError) -> None:
        if error.remembered is None:
            return
        while len(self._ends) >= self._most:
            self._drop_first()
        number = next(self._numbers)
        self._failures[key] = (number, error)
        heapq.heappush(self._ends, (self._clock() + error.remembered, number, key))

    def _drop_first(self) -> None:
        _, number, key = heapq.heappop(self._ends)
        entry = self._failures.get(key)
        if entry is not None and entry[0] == number:  # otherwise it failed again meanwhile
            del self._failures[key]

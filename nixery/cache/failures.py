"""Requests that failed a moment ago."""

from collections.abc import Callable, Hashable

from nixery.errors import NixeryError


class Failures:
    """Answers a request that failed a moment ago without another attempt.

    Docker asks with HEAD and then with GET, and people ask again at once: a failure costs one
    run of Nix for all of them. How long one is remembered is the error's own (``remembered``).
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock``: seconds, monotonic."""
        self._clock = clock
        self._failures: dict[Hashable, tuple[float, NixeryError]] = {}

    def recall(self, key: Hashable) -> NixeryError | None:
        self._forget()
        entry = self._failures.get(key)
        return entry[1] if entry else None

    def remember(self, key: Hashable, error: NixeryError) -> None:
        if error.remembered is not None:
            self._failures[key] = (self._clock() + error.remembered, error)

    def _forget(self) -> None:
        now = self._clock()
        for key in [key for key, (until, _) in self._failures.items() if until <= now]:
            del self._failures[key]

"""Cache of evaluations: (identity of the package set, system, name) → outputs.

A name's outputs do not change while the files of the package set do not, so a hit needs no Nix. For
sets that may download during evaluation, entries expire.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nixery.cache.recent import Recent
from nixery.closure import Package
from nixery.image_name import Architecture

MAX_EVALUATIONS = 50_000
"""Packages, about half a kilobyte each."""


@dataclass(frozen=True, slots=True)
class _Key:
    identity: str
    system: str
    name: str


class Evaluations:
    """In memory only: evaluating again after a restart takes a tenth of a second."""

    def __init__(self, clock: Callable[[], float], valid_for: float | None) -> None:
        """``clock``: monotonic, in seconds. ``valid_for``: seconds, or None without limit."""
        self._clock = clock
        self._valid_for = valid_for
        self._packages: Recent[_Key, tuple[Package, float]] = Recent(MAX_EVALUATIONS)

    def get(
        self, identity: str, architecture: Architecture, names: Iterable[str]
    ) -> tuple[Package, ...] | None:
        """The packages in the order of the names, if all are cached."""
        now, packages = self._clock(), []
        for name in names:
            entry = self._packages.get(_Key(identity, architecture.system, name))
            if not entry or (self._valid_for is not None and now - entry[1] >= self._valid_for):
                return None
            packages.append(entry[0])
        return tuple(packages)

    def put(self, identity: str, architecture: Architecture, packages: Iterable[Package]) -> None:
        now = self._clock()
        for package in packages:
            key = _Key(identity, architecture.system, package.name)
            self._packages.put(key, (package, now))

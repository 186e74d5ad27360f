"""What names stood for: (identity of the package set, system, name) → outputs.

A name's outputs never change while the files of its set do not, so this needs no Nix at all. Sets
that may download while they are evaluated are asked again after a while.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nixery.cache.recent import Recent
from nixery.closure import Package
from nixery.image import Architecture

REMEMBERED = 50_000
"""Packages, about half a kilobyte each."""


@dataclass(frozen=True, slots=True)
class _Key:
    identity: str
    system: str
    name: str


class Evaluations:
    """In memory only: evaluating again after a restart takes a tenth of a second."""

    def __init__(self, clock: Callable[[], float], valid_for: float | None) -> None:
        """``clock``: seconds, monotonic. ``valid_for``: seconds, or None for as long as it fits."""
        self._clock = clock
        self._valid_for = valid_for
        self._packages: Recent[_Key, tuple[Package, float]] = Recent(REMEMBERED)

    def recall(
        self, identity: str, architecture: Architecture, names: Iterable[str]
    ) -> dict[str, Package]:
        """Those of the names that are known."""
        found = {}
        for name in names:
            entry = self._packages.get(_Key(identity, architecture.system, name))
            if entry and (self._valid_for is None or self._clock() - entry[1] < self._valid_for):
                found[name] = entry[0]
        return found

    def remember(
        self, identity: str, architecture: Architecture, packages: Iterable[Package]
    ) -> None:
        now = self._clock()
        for package in packages:
            key = _Key(identity, architecture.system, package.name)
            self._packages.put(key, (package, now))

    def forget(self, identity: str, architecture: Architecture, names: Iterable[str]) -> None:
        """Their derivations were collected: only another evaluation writes them again."""
        for name in names:
            self._packages.drop(_Key(identity, architecture.system, name))

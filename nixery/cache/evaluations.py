"""Cache of evaluations: (identity of the package set, system, name) → outputs.

A name's outputs do not change while the files of the package set do not, so a hit needs no Nix. An
interpreter and modules are the exception: together they are an environment, cached as a whole. For
sets that may download during evaluation, entries expire.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nixery.cache.recent import Recent
from nixery.closure import Package
from nixery.image_name import Architecture

MAX_EVALUATIONS = 50_000
"""Packages, about half a kilobyte each."""
MAX_COMBINED = 1_000
"""Requests with an interpreter and a module, a few kilobytes each."""


@dataclass(frozen=True, slots=True)
class _Key:
    identity: str
    system: str
    name: str


@dataclass(frozen=True, slots=True)
class _Combined:
    identity: str
    system: str
    names: tuple[str, ...]


class Evaluations:
    """In memory only: evaluating again after a restart takes a tenth of a second."""

    def __init__(self, clock: Callable[[], float], valid_for: float | None) -> None:
        """``clock``: monotonic, in seconds. ``valid_for``: seconds, or None without limit."""
        self._clock = clock
        self._valid_for = valid_for
        self._packages: Recent[_Key, tuple[Package, float]] = Recent(MAX_EVALUATIONS)
        self._combined: Recent[_Combined, tuple[tuple[Package, ...], float]] = Recent(MAX_COMBINED)

    def get(
        self, identity: str, architecture: Architecture, names: Sequence[str]
    ) -> tuple[Package, ...] | None:
        """The packages in the order of the names, if all are cached."""
        system = architecture.system
        if known := self._combined.get(_Combined(identity, system, tuple(names))):
            return known[0] if self._is_valid(known[1]) else None
        packages = []
        for name in names:
            entry = self._packages.get(_Key(identity, system, name))
            if not entry or not self._is_valid(entry[1]):
                return None
            packages.append(entry[0])
        # They were evaluated apart, and may be another package together.
        may_combine = {"interpreter", "module"} <= {package.role for package in packages}
        return None if may_combine else tuple(packages)

    def put(self, identity: str, architecture: Architecture, packages: Sequence[Package]) -> None:
        now, system = self._clock(), architecture.system
        if {"interpreter", "module"} <= {package.role for package in packages}:
            names = tuple(package.name for package in packages)
            self._combined.put(_Combined(identity, system, names), (tuple(packages), now))
        for package in packages:
            if not package.combined:
                self._packages.put(_Key(identity, system, package.name), (package, now))

    def _is_valid(self, since: float) -> bool:
        return self._valid_for is None or self._clock() - since < self._valid_for

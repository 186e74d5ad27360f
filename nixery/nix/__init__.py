"""Nix, asked through the command ``nixery-prepare-image``.

    client.py    class Nix: evaluate, realise, closure
    process.py   one command: its output drained, its lines logged, its process group ended
    events.py    the lines of ``--log-format internal-json``
    verdicts.py  what Nix said, as the errors that clients are told
    store.py     closures as the three Nix versions print them; where the files of a store lie

The last three are pure. Callers ask for the Protocol ``Preparer``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from nixery.closure import Closure, Package, StorePath
from nixery.image import ImageRequest
from nixery.source import ResolvedSource


class Preparer(Protocol):
    """What makes the store paths of an image; each method may take minutes and be cancelled."""

    async def evaluate(self, source: ResolvedSource, request: ImageRequest) -> tuple[Package, ...]:
        """The packages that the request names, in its order; builds nothing.

        Raises PackageNotFound, Denied, EvaluationFailed, or NixeryError where Nix cannot be used.
        """

    async def realise(self, packages: Sequence[Package], root: Path) -> None:
        """Build or substitute the outputs, kept from the garbage collector by links at ``root``.

        The links are ``root``, ``root-2`` …, some with the output's name behind. Its directory
        must exist. Raises BuildFailed, TimedOut, Denied where no builder has the system, or
        NixeryError.
        """

    async def closure(self, paths: Sequence[StorePath]) -> Closure:
        """Everything that the paths refer to, themselves included; they must be valid.

        Raises NixeryError.
        """

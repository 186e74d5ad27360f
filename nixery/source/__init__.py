"""Where packages come from: a channel, a git repository, or a local path."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ResolvedSource:
    """One exact package set, readable on this machine."""

    path: Path
    """What Nix imports: a file, or a directory with a default.nix."""
    root: Path
    """The tree that evaluation may read; ``path`` lies in it."""
    url: str
    """Where it came from, without user name and password; the Nixery-Source header."""
    revision: str | None
    """The git commit, 40 hex digits; None for a path, which has none."""


class PackageSource(Protocol):
    async def resolve(self, tag: str) -> ResolvedSource:
        """The package set that the tag names.

        Raises TagUnknown where a client may not name it or it does not exist, and
        SourceUnavailable where that cannot be found out now.
        """

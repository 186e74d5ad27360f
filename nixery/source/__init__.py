"""Where packages come from: a channel, a git repository, or a local path.

    path.py     a package set on this machine
    git.py      a git repository; the client's tag names a branch, a tag or a commit
    channel.py  a git repository at the branch or commit that the operator chose
    factory.py  which of them, by the settings' plain values

Git is resolved here and never by Nix: ``builtins.fetchGit`` takes any commit that the server
hands out, which on a public forge includes everybody's pull requests. Finding out what a tag
names now (``commit_of``) and having that commit's files at hand (``trees.py``) are two steps:

    address.py  what may be fetched from, and what of it may be shown      (pure)
    refs.py     which refs a client may name                               (pure)
    command.py  running git: no prompts, no hooks, a deadline, a group that is ended
    remote.py   asking the other side: refs, HEAD
    mirror.py   copies of a repository's commits, or of all of it
    history.py  whether an allowed ref contains a commit
    trees.py    the files of one commit, kept for a while
    memory.py   what a moving name meant a moment ago
    look.py     whether a local tree is still what it was
    beside.py   what evaluation may read beside the package set
    files.py    directories that appear whole, and locks
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ResolvedSource:
    """One exact package set; its files need not be on this machine yet."""

    url: str
    """Where it comes from, without user name and password; may be a path of the server."""
    revision: str | None
    """The git commit, 40 or 64 hex digits; None for a path, which has none."""
    identity: str
    """Equal where evaluation may read equal files: the commit, or for a path a digest of how its
    files look; and how the files look that evaluation may read beside them."""


@dataclass(frozen=True, slots=True)
class SourceTree:
    """The files of a package set, readable on this machine."""

    path: Path
    """What Nix imports: a file, or a directory with a default.nix."""
    root: Path
    """The tree that evaluation may read; ``path`` lies in it."""


class PackageSource(Protocol):
    @property
    def origin(self) -> str:
        """Where packages come from, for people; without user name and password."""

    async def resolve(self, tag: str) -> ResolvedSource:
        """The package set that the tag names.

        Raises TagUnknown where a client may not name it or it does not exist, and
        SourceUnavailable where that cannot be found out now.
        """

    async def read(self, source: ResolvedSource) -> SourceTree:
        """Its files, for at least as long as a request may take.

        Raises TagUnknown where the revision does not exist after all, EvaluationFailed where it
        holds no package set, SourceUnavailable, and StorageFull.
        """

"""Package sources: a channel, a git repository, or a local path.

    path.py     a package set on this machine
    git.py      a git repository; the client's tag selects a branch, a tag or a commit
    channel.py  a git repository at the branch or commit that the operator selected
    factory.py  creates the source that the settings select

Git is resolved here and not by Nix: ``builtins.fetchGit`` accepts any commit that the server
returns, which on a public forge includes everybody's pull requests. Resolving a tag (``commit_of``)
and reading the files of its commit (``trees.py``) are two steps:

    address.py      parsing of repository addresses, and their public form      (pure)
    refs.py         refs and tags that a client may name                        (pure)
    git_config.py   configuration and environment of git
    git_command.py  running git: no prompts, no hooks, a deadline
    remote.py       refs and HEAD of the remote repository
    mirror.py       copies of a repository's commits, or of all of it
    history.py      whether an allowed ref contains a commit
    objects.py      git's objects of the last commits
    trees.py        the files of one commit, kept for a while
    ttl_cache.py    recent resolutions of moving names
    fingerprint.py  detects changes of a local tree
    further_paths.py        NIXERY_ALLOWED_PATHS, NIXERY_OVERLAYS, NIXERY_NIX_PATH
    files.py        directories that appear complete, and locks
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ResolvedSource:
    """One exact package set; its files need not be on this machine yet."""

    url: str
    """Address without user name and password; may be a path of the server."""
    revision: str | None
    """The git commit, 40 or 64 hex digits; None for a path."""
    identity: str
    """Equal if evaluation may read equal files: the commit, or for a path its fingerprint; and the
    fingerprints of further paths that evaluation may read."""


@dataclass(frozen=True, slots=True)
class SourceTree:
    """The files of a package set, on this machine."""

    path: Path
    """What Nix imports: a file, or a directory with a default.nix."""
    root: Path
    """The tree that evaluation may read; contains ``path``."""


class PackageSource(Protocol):
    @property
    def origin(self) -> str:
        """Description for people, without user name and password."""

    async def resolve(self, tag: str) -> ResolvedSource:
        """The package set that the tag names.

        Raises TagUnknown if a client may not name it or it does not exist, and SourceUnavailable if
        that cannot be found out now.
        """

    async def read(self, source: ResolvedSource) -> SourceTree:
        """The files, kept at least as long as a request may take.

        Raises TagUnknown if the revision does not exist after all, EvaluationFailed if it contains
        no package set, SourceUnavailable, and StorageFull.
        """

"""Trees: the files of single commits, extracted once and kept for a while.

    <state>/sources/<commit>/source   a commit's files; the mtime of <commit> is its last use
    <state>/sources/.staged-*         an incomplete extraction; locked by the process that writes it

The last component is always ``source``: it is part of the store paths of what Nix copies from the
tree, which must be equal on all machines.

The files are exactly the blobs of the commit: .gitattributes have no effect (``git archive`` would
apply export-ignore and export-subst), filters do not run (Git LFS files stay pointers), and
submodules are empty directories.
"""

import asyncio
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from nixery.concurrency.single_flight import SingleFlight
from nixery.errors import EvaluationFailed, SourceUnavailable, StorageFull
from nixery.host.file_locks import locked
from nixery.source.files import STAGED, flush, is_full, staged, sweep
from nixery.source.git_command import LOCAL_SECONDS, TREE_SECONDS, GitFailed, GitTimedOut
from nixery.source.mirror import Mirror
from nixery.source.refs import COMMIT, Commit
from nixery.source.remote import FETCH, Remote, has_other_format, init_for

SPARE_SECONDS = 60.0
"""Seconds in addition to the request timeout: how long a tree must outlive its last use."""
MAX_EXTRACTIONS = 4
"""Extractions at once. Each is a download and uses a core, so more would not be faster."""

# Overrides every .gitattributes in the tree. working-tree-encoding does not accept "-".
_NO_CONVERSION = "* -text -ident -filter !eol !working-tree-encoding\n"


class NoSuchCommitError(Exception):
    """The remote does not have the commit, or it is not a commit."""

    def __init__(self, commit: Commit) -> None:
        super().__init__(commit)
        self.commit = commit


@dataclass(frozen=True, slots=True)
class TreeLimits:
    in_use_for: float
    """A tree is not removed until this many seconds after its last use."""
    kept: int = 8
    """Trees that are kept. A revision of nixpkgs is 300–400 MB. Clients use few revisions at a
    time, and built images are served without their tree."""
    most: int = 32
    """Trees that may be in use at once, so that clients with ever new revisions cannot fill the
    disk."""


class Trees:
    def __init__(
        self,
        remote: Remote,
        directory: Path,
        limits: TreeLimits,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._remote = remote
        self._directory = directory
        self._limits = limits
        self._clock = clock
        self._extractions: SingleFlight[None] = SingleFlight()
        self._full_mirror = Mirror(remote, "whole", commits_only=False)
        self._sweeping: asyncio.Task[None] | None = None
        self._slots = asyncio.Semaphore(MAX_EXTRACTIONS)
        directory.mkdir(parents=True, exist_ok=True)
        sweep(directory)

    async def read(self, commit: Commit) -> Path:
        """The directory of the commit's files, for at least ``TreeLimits.in_use_for``.

        Raises NoSuchCommitError, SourceUnavailable, StorageFull, and EvaluationFailed if the
        commit's files cannot be written.
        """
        while (tree := self._find(commit)) is None:
            await self._extractions.run(commit, lambda _: self._extract(commit))
        return tree

    def _find(self, commit: Commit) -> Path | None:
        tree = self._directory / commit
        with locked(self._directory):
            if not tree.exists():
                return None
            self._touch(tree)
        return tree / "source"

    def _touch(self, tree: Path) -> None:
        now = self._clock()
        os.utime(tree, (now, now))

    async def _extract(self, commit: Commit) -> None:
        try:
            async with self._slots, staged(self._directory) as place:
                self._make_room()
                await self._fetch(commit, place / "repository")
                tree = place / "tree"
                await self._write(commit, place / "repository", tree / "source")
                # A tree is trusted by its name, so a power cut must not leave the name without the
                # files.
                await to_thread.run_sync(flush, tree)
                with locked(self._directory):
                    self._touch(tree)
                    if not (self._directory / commit).exists():
                        tree.rename(self._directory / commit)
            # Removing trees can take longer than extracting one, so nobody waits for it.
            self._sweeping = asyncio.create_task(to_thread.run_sync(sweep, self._directory))
        except OSError as error:
            if is_full(error):
                raise StorageFull("the disk for the package source is full") from error
            raise
        except GitFailed as error:
            raise self._remote.unavailable(error) from error

    async def _fetch(self, commit: Commit, repository: Path) -> None:
        git = self._remote.git
        await git.run(*init_for(commit), directory=repository, deadline=LOCAL_SECONDS)
        try:
            await git.run(
                *FETCH, "--depth=1", "--", "origin", f"{commit}:refs/kept/tree",
                directory=repository, deadline=TREE_SECONDS, network=True,
            )  # fmt: skip
        except GitTimedOut:
            raise
        except GitFailed as error:
            if "not our ref" in error.messages or has_other_format(error.messages):
                raise NoSuchCommitError(commit) from error
            if "unadvertised object" not in error.messages:
                raise
            await self._use_full_mirror(commit, repository)
        # The id may also be that of a tree, a blob or an annotated tag.
        kind = await git.run("cat-file", "-t", commit, directory=repository, deadline=LOCAL_SECONDS)
        if kind.stdout != b"commit\n":
            raise NoSuchCommitError(commit)

    async def _use_full_mirror(self, commit: Commit, repository: Path) -> None:
        """Adds the objects of a full mirror, for servers that do not serve single commits.

        Among them is git over ssh without ``AcceptEnv GIT_PROTOCOL``. The first call fetches the
        whole repository, later ones only new objects.
        """
        mirror = self._full_mirror
        await mirror.update(commit, ("+refs/*:refs/*",), lambda: mirror.has_commit(commit))
        if not await mirror.has_commit(commit):
            raise NoSuchCommitError(commit)
        alternates = repository / "objects" / "info" / "alternates"
        alternates.write_text(f"{mirror.directory / 'objects'}\n")

    async def _write(self, commit: Commit, repository: Path, target: Path) -> None:
        await to_thread.run_sync(_prepare, repository, target)
        try:
            for arguments in (("read-tree", commit), ("checkout-index", "--all", "--quiet")):
                await self._remote.git.run(
                    *arguments, directory=repository, work_tree=target, deadline=LOCAL_SECONDS
                )
        except GitTimedOut:
            raise
        except GitFailed as error:
            if is_full(error):
                raise
            # Git refuses names such as ".git/config" and "..", which only a forged tree has.
            self._remote.report(error)
            raise EvaluationFailed(
                f"the files of revision {commit} of {self._remote.address.public} "
                "cannot be written to disk"
            ) from error

    def _make_room(self) -> None:
        """Removes the least recently used trees above the limit."""
        with locked(self._directory):
            trees = sorted(
                (path for path in self._directory.iterdir() if COMMIT.fullmatch(path.name)),
                key=lambda path: path.stat().st_mtime,
                reverse=True,
            )
            idle_since = self._clock() - self._limits.in_use_for
            # One more will be added.
            idle = [
                path for path in trees[self._limits.kept - 1 :] if path.stat().st_mtime < idle_since
            ]
            if len(trees) - len(idle) >= self._limits.most:
                raise SourceUnavailable(
                    f"{len(trees)} revisions of the package source are in use: try again later",
                    cause="busy",
                )
            for path in idle:
                path.rename(self._directory / f"{STAGED}{uuid.uuid4().hex}")


def _prepare(repository: Path, target: Path) -> None:
    attributes = repository / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text(_NO_CONVERSION)
    target.mkdir(parents=True)

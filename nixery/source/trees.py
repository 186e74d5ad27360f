"""Trees: the files of single commits, extracted once and kept for a while.

    <state>/sources/<commit>/source       a commit's files; the mtime of <commit> is its last use
    <state>/sources/<commit>/repository   git's index of the files, with the objects elsewhere
    <state>/sources/.staged-*             an incomplete extraction; locked by the process that
                                          writes it

A commit of nixpkgs has 53,000 files in 37,000 directories: writing them takes seconds and 450 MB.
So once there are ``TreeLimits.kept`` trees, the least recently used one that is idle is changed
into the next commit's, which only writes the files that differ. A tree in use is never changed: if
all are, another one is added.

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
from nixery.source.git_command import LOCAL_SECONDS, GitFailed, GitTimedOut
from nixery.source.objects import Objects
from nixery.source.refs import COMMIT, Commit
from nixery.source.remote import Remote, init_for

SPARE_SECONDS = 60.0
"""Seconds in addition to the request timeout: how long a tree must outlive its last use."""
MAX_EXTRACTIONS = 4
"""Extractions at once. Each is a download and uses a core, so more would not be faster."""

# Overrides every .gitattributes in the tree. working-tree-encoding does not accept "-".
_NO_CONVERSION = "* -text -ident -filter !eol !working-tree-encoding\n"


@dataclass(frozen=True, slots=True)
class TreeLimits:
    in_use_for: float
    """A tree is not removed until this many seconds after its last use."""
    kept: int
    """Trees that are kept when they are idle. If clients use more revisions than that in turn, a
    tree is changed whenever one was idle for ``in_use_for``, not at every request."""
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
        self._objects = Objects(remote)
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
                objects = await self._objects.fetch(commit)
                tree = place / "tree"
                self._make_room(tree)
                await self._write(commit, objects, tree)
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

    async def _write(self, commit: Commit, objects: Path, tree: Path) -> None:
        """Writes the files that differ from those in ``tree``, which may be missing."""
        repository, files = tree / "repository", tree / "source"
        git = self._remote.git
        if not repository.exists():
            await to_thread.run_sync(files.mkdir, 0o777, True)
            await git.run(*init_for(commit), directory=repository, deadline=LOCAL_SECONDS)
        await to_thread.run_sync(_configure, repository, objects)
        try:
            await git.run(
                "read-tree", "--reset", "-u", commit,
                directory=repository, work_tree=files, deadline=LOCAL_SECONDS,
            )  # fmt: skip
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

    def _make_room(self, target: Path) -> None:
        """Moves an idle tree to ``target`` if there are enough, and stages others for removal."""
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
                if not target.exists() and (path / "repository").is_dir():
                    path.rename(target)
                else:
                    path.rename(self._directory / f"{STAGED}{uuid.uuid4().hex}")


def _configure(repository: Path, objects: Path) -> None:
    (repository / "objects" / "info").mkdir(parents=True, exist_ok=True)
    (repository / "objects" / "info" / "alternates").write_text(f"{objects / 'objects'}\n")
    (repository / "info").mkdir(exist_ok=True)
    (repository / "info" / "attributes").write_text(_NO_CONVERSION)
    # Of a process that was killed.
    (repository / "index.lock").unlink(missing_ok=True)

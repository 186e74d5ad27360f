"""Object store: the git objects of the commits whose files were extracted last.

    <state>/git/<hash>/files            a bare repository: refs/kept/<commit>, each without history
    <state>/git/<hash>/files-sha256     the same for a repository with that object format

Git negotiates with the kept commits, so fetching a commit transfers only what differs from them: of
nixpkgs, some megabytes instead of 45. Older commits are dropped, and ``git gc`` removes their
objects.
"""

from contextlib import suppress
from pathlib import Path

from anyio import to_thread

from nixery.source.files import locked_long
from nixery.source.git_command import LOCAL_SECONDS, TREE_SECONDS, GitFailed, GitTimedOut
from nixery.source.mirror import Mirror, empty, sweep_git
from nixery.source.refs import Commit
from nixery.source.remote import FETCH, Remote, has_other_format, init_for, log

KEPT_COMMITS = 16
"""Commits that are kept, the last ones; more than are extracted at once."""
_SHA256_DIGITS = 64


class NoSuchCommitError(Exception):
    """The remote does not have the commit, or it is not a commit."""

    def __init__(self, commit: Commit) -> None:
        super().__init__(commit)
        self.commit = commit


class Objects:
    """All methods raise GitFailed."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._full_mirror = Mirror(remote, "whole", commits_only=False)

    async def fetch(self, commit: Commit) -> Path:
        """The repository that has the commit's objects. Raises NoSuchCommitError."""
        # A separate one for each format: a client can name a commit of either.
        name = "files-sha256" if len(commit) == _SHA256_DIGITS else "files"
        directory = self._remote.directory / name
        directory.mkdir(parents=True, exist_ok=True)
        # Concurrent fetches of shallow commits would fail at each other's lock file.
        async with locked_long(directory):
            try:
                found = await self._fetch(commit, directory)
            except GitTimedOut:
                raise
            except GitFailed as error:
                if await self._is_sound(directory):
                    raise
                log.warning(
                    "objects damaged, fetched again",
                    source=self._remote.address.public,
                    message=error.messages,
                )
                await to_thread.run_sync(empty, directory)
                found = await self._fetch(commit, directory)
            await self._drop_older(directory)
        return found

    async def _fetch(self, commit: Commit, directory: Path) -> Path:
        await to_thread.run_sync(sweep_git, directory)
        await self._ask(directory, *init_for(commit))
        if await self._has(directory, commit):
            return directory
        try:
            await self._remote.git.run(
                *FETCH, "--depth=1", "--", "origin",
                f"{commit}:refs/kept/{commit}",
                directory=directory, deadline=TREE_SECONDS, network=True,
            )  # fmt: skip
        except GitTimedOut:
            raise
        except GitFailed as error:
            if "not our ref" in error.messages or has_other_format(error.messages):
                raise NoSuchCommitError(commit) from error
            if "unadvertised object" not in error.messages:
                raise
            return await self._from_full_mirror(commit)
        if not await self._has(directory, commit):
            # The id of a tree, a file or an annotated tag.
            await self._ask(directory, "update-ref", "-d", f"refs/kept/{commit}")
            raise NoSuchCommitError(commit)
        return directory

    async def _from_full_mirror(self, commit: Commit) -> Path:
        """The full mirror, for servers that do not serve single commits.

        Among them is git over ssh without ``AcceptEnv GIT_PROTOCOL``. The first call fetches the
        whole repository, later ones only new objects.
        """
        mirror = self._full_mirror
        await mirror.update(commit, ("+refs/*:refs/*",), lambda: mirror.has_commit(commit))
        if not await mirror.has_commit(commit):
            raise NoSuchCommitError(commit)
        return mirror.directory

    async def _has(self, directory: Path, commit: Commit) -> bool:
        """Whether it was fetched completely: git writes the ref last."""
        try:
            found = await self._ask(directory, "rev-parse", "--verify", f"refs/kept/{commit}")
            kind = await self._ask(directory, "cat-file", "-t", commit)
        except GitTimedOut:
            raise
        except GitFailed:
            return False
        return found == commit.encode() + b"\n" and kind == b"commit\n"

    async def _is_sound(self, directory: Path) -> bool:
        try:
            await self._ask(directory, "rev-list", "--objects", "--quiet", "--all")
        except GitFailed:
            return False
        return True

    async def _drop_older(self, directory: Path) -> None:
        """Collects garbage now and then."""
        with suppress(GitFailed):  # it is tried again after the next fetch
            output = await self._ask(directory, "for-each-ref", "--format=%(refname)", "refs/kept")
            newest_first = sorted(output.decode().split(), key=lambda ref: _age(directory / ref))
            for ref in newest_first[KEPT_COMMITS:]:
                await self._ask(directory, "update-ref", "-d", ref)
            await self._ask(directory, "gc", "--auto", "--quiet", "--prune=now")

    async def _ask(self, directory: Path, *arguments: str) -> bytes:
        output = await self._remote.git.run(*arguments, directory=directory, deadline=LOCAL_SECONDS)
        return output.stdout


def _age(ref: Path) -> float:
    """For sorting, the newest first; packed refs are the oldest."""
    try:
        return -ref.stat().st_mtime
    except OSError:
        return 0

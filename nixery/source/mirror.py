"""Mirror of a repository's refs and commits, updated on request.

There are two kinds: commits without files (``--filter=tree:0``), to check what contains what, and
complete ones, for servers that do not serve single commits.
"""

import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from anyio import to_thread

from nixery.concurrency.single_flight import Flight, SingleFlight
from nixery.source.files import locked_long
from nixery.source.git_command import HISTORY_SECONDS, LOCAL_SECONDS, GitFailed, GitTimedOut
from nixery.source.refs import Commit
from nixery.source.remote import (
    COMMITS_ONLY,
    FETCH,
    Remote,
    has_other_format,
    init_for,
    log,
    refuses_filters,
)


class Mirror:
    """All methods raise GitFailed."""

    def __init__(self, remote: Remote, name: str, *, commits_only: bool) -> None:
        self.directory = remote.directory / name
        self._remote = remote
        self._filters = (COMMITS_ONLY, "--no-filter") if commits_only else ("--no-filter",)
        self._fetches: SingleFlight[object] = SingleFlight()

    async def update(
        self,
        commit: Commit,
        refspecs: tuple[str, ...],
        is_current: Callable[[], Awaitable[bool]],
    ) -> None:
        """Fetches and prunes if necessary; one fetch for all concurrent callers.

        ``commit``: one that is needed, in the remote's object format.
        """
        # A fetch in progress may be older than the commit: then fetch once more.
        for _ in range(2):
            if await is_current():
                return
            if await self._fetch_together(init_for(commit), refspecs):
                return

    async def _fetch_together(self, init: tuple[str, ...], refspecs: tuple[str, ...]) -> bool:
        """Whether the fetch started with this call, and not before."""
        own = object()
        return own is await self._fetches.run(
            "", lambda flight: self._fetch(flight, init, refspecs, own)
        )

    async def ask(self, *arguments: str, deadline: float = LOCAL_SECONDS) -> bytes:
        """The output of a git command on the mirror, without network."""
        output = await self._remote.git.run(*arguments, directory=self.directory, deadline=deadline)
        return output.stdout

    async def has_commit(self, commit: Commit) -> bool:
        # Trees, files and annotated tags have such ids too. For a missing object, cat-file would
        # start a fetch that fails: 1.7 CPU seconds in a mirror of nixpkgs.
        try:
            found = await self.ask(
                "rev-list", "--no-walk", "--ignore-missing", "--missing=allow-any", commit
            )
        except GitTimedOut:
            raise
        except GitFailed:
            return False
        return found == commit.encode() + b"\n"

    async def _fetch(
        self,
        flight: Flight[object],
        init: tuple[str, ...],
        refspecs: tuple[str, ...],
        token: object,
    ) -> object:
        """Returns the token, so that a caller knows whether it was its own fetch."""
        # A first fetch may take longer than any request waits, so it continues without callers.
        flight.commit()
        self.directory.mkdir(parents=True, exist_ok=True)
        async with locked_long(self.directory):
            await to_thread.run_sync(sweep_git, self.directory)
            try:
                await self._fetch_filtered(init, refspecs)
            except GitTimedOut:
                raise
            except GitFailed as error:
                # The remote has just listed its refs. Either the network failed since, or the
                # mirror is damaged, or the repository was created again with another object format;
                # no further fetch can repair those.
                if not has_other_format(error.messages) and await self._is_sound():
                    raise
                log.warning("mirror damaged, created again", source=self._remote.address.public)
                await to_thread.run_sync(empty, self.directory)
                await self._fetch_filtered(init, refspecs)
            with suppress(GitFailed):  # a mirror of many small packs is slower, but correct
                await self.ask("gc", "--auto", "--quiet", deadline=HISTORY_SECONDS)
        return token

    async def _fetch_filtered(self, init: tuple[str, ...], refspecs: tuple[str, ...]) -> None:
        await self.ask(*init)
        for option in self._filters:
            try:
                # With the commit graph, "which refs contain it" takes milliseconds.
                await self._remote.git.run(
                    *FETCH, "--prune", "--write-commit-graph", option, "--", "origin", *refspecs,
                    directory=self.directory, deadline=HISTORY_SECONDS, network=True,
                )  # fmt: skip
            except GitFailed as error:
                if option == self._filters[-1] or not refuses_filters(error.messages):
                    raise
            else:
                return

    async def _is_sound(self) -> bool:
        """Whether all commits of the mirror's refs exist and are readable."""
        try:
            await self.ask(
                "-c", "core.commitGraph=false", "rev-list", "--quiet", "--all",
                deadline=HISTORY_SECONDS,
            )  # fmt: skip
        except GitFailed:
            return False
        return True


def sweep_git(mirror: Path) -> None:
    """Removes leftovers of a killed git. The caller holds the mirror's lock."""
    for pattern in (
        "*.lock",
        "refs/**/*.lock",
        "objects/info/**/*.lock",
        "objects/pack/*.lock",
        "objects/pack/tmp_*",
        "objects/pack/.tmp-*",
    ):
        for path in mirror.glob(pattern):
            path.unlink(missing_ok=True)


def empty(mirror: Path) -> None:
    """Leave the directory itself: it carries the lock."""
    for path in mirror.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

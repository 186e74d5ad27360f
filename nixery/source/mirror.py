"""A copy of a repository's refs and of what is behind them, brought up to date when asked.

Two kinds are kept: commits without files (``--filter=tree:0``), to know what contains what, and
whole ones of servers that give out no single commit.
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
        """Fetch and prune, unless there is no need to; one fetch for all who ask meanwhile.

        ``commit``: one that is looked for, named as the other side names its objects.
        """
        # A fetch that was under way may be older than what is asked for: then once more.
        for _ in range(2):
            if await is_current():
                return
            if await self._fetch_together(init_for(commit), refspecs):
                return

    async def _fetch_together(self, init: tuple[str, ...], refspecs: tuple[str, ...]) -> bool:
        """Whether the fetch began with this call, and not before it."""
        own = object()
        return own is await self._fetches.run(
            "", lambda flight: self._fetch(flight, init, refspecs, own)
        )

    async def ask(self, *arguments: str, deadline: float = LOCAL_SECONDS) -> bytes:
        """What git prints about the mirror, without any network."""
        output = await self._remote.git.run(*arguments, directory=self.directory, deadline=deadline)
        return output.stdout

    async def has_commit(self, commit: Commit) -> bool:
        # Trees, files and annotated tags have such names as well.
        try:
            return await self.ask("cat-file", "-t", commit) == b"commit\n"
        except GitTimedOut:
            raise
        except GitFailed:
            return False

    async def _fetch(
        self,
        flight: Flight[object],
        init: tuple[str, ...],
        refspecs: tuple[str, ...],
        token: object,
    ) -> object:
        """Gives the token back, by which a caller knows whether it was its own fetch."""
        # A first fetch may take longer than any request waits: it goes on without one.
        flight.commit()
        self.directory.mkdir(parents=True, exist_ok=True)
        async with locked_long(self.directory):
            await to_thread.run_sync(_sweep, self.directory)
            try:
                await self._fetch_filtered(init, refspecs)
            except GitTimedOut:
                raise
            except GitFailed as error:
                # The other side has just listed its refs. Either the network failed since, or the
                # mirror is damaged, and then no further fetch will mend it. Nor will one where the
                # repository was made anew with another object format.
                if not has_other_format(error.messages) and await self._is_sound():
                    raise
                log.warning("mirror damaged, made anew", source=self._remote.address.public)
                await to_thread.run_sync(_empty, self.directory)
                await self._fetch_filtered(init, refspecs)
            with suppress(GitFailed):  # a mirror in many small packs is slower, and right
                await self.ask("gc", "--auto", "--quiet", deadline=HISTORY_SECONDS)
        return token

    async def _fetch_filtered(self, init: tuple[str, ...], refspecs: tuple[str, ...]) -> None:
        await self.ask(*init)
        for option in self._filters:
            try:
                # The commit graph makes "which refs contain it" a matter of milliseconds.
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
        """Whether every commit behind the mirror's refs is there and readable."""
        try:
            await self.ask(
                "-c", "core.commitGraph=false", "rev-list", "--quiet", "--all",
                deadline=HISTORY_SECONDS,
            )  # fmt: skip
        except GitFailed:
            return False
        return True


def _sweep(mirror: Path) -> None:
    """Remove what a killed git left; the mirror's lock is held, so no other git works in it."""
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


def _empty(mirror: Path) -> None:
    """Leave the directory itself: it carries the lock."""
    for path in mirror.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

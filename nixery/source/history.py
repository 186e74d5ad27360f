"""The mirror of a repository's commits, kept to know whether an allowed ref contains one.

Input is a commit that a client named, and what the other side lists at this moment. The mirror
holds the allowed refs under their own names, and every commit behind them without files
(``--filter=tree:0``; a server that does not offer this sends everything). Refs that were
deleted or moved by force are so in the mirror before the answer is given.

    listing ── same as the mirror's refs? ──no──► fetch, prune
                        │yes                          │
                        ▼                             ▼
                  which refs contain the commit? those that are listed and allowed count
"""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from anyio import to_thread

from nixery.source.command import HISTORY_SECONDS, LOCAL_SECONDS, GitFailed, GitTimedOut
from nixery.source.files import locked_long
from nixery.source.flight import Flights
from nixery.source.refs import AllowedRefs, Commit, Ref
from nixery.source.remote import COMMITS_ONLY, FETCH, INIT, Remote, log, refuses_filters


class History:
    def __init__(self, remote: Remote, allowed: AllowedRefs) -> None:
        self._remote = remote
        self._allowed = allowed
        self._mirror = remote.directory / "history"
        # A first fetch may take longer than any request waits: it goes on without one.
        self._fetches: Flights[None] = Flights(persistent=True)

    async def contains(self, commit: Commit, listing: Mapping[str, Ref]) -> bool:
        """Whether an allowed ref of the listing leads to the commit.

        Raises SourceUnavailable.
        """
        wanted = self._allowed.of(listing)
        if not wanted:
            return False
        try:
            await self._update(wanted)
            return await self._is_commit(commit) and await self._leads_to(commit, wanted)
        except GitFailed as error:
            raise self._remote.unavailable(error) from error

    async def _update(self, wanted: Mapping[str, Ref]) -> None:
        # A fetch that was under way may have begun before the listing: then once more.
        for _ in range(2):
            if await self._has(wanted):
                return
            joined = self._fetches.under_way("")
            await self._fetches.join("", lambda: self._fetch(wanted))
            if not joined:
                return

    async def _has(self, wanted: Mapping[str, Ref]) -> bool:
        if not (self._mirror / "HEAD").exists():
            return False
        try:
            output = await self._ask("for-each-ref", "--format=%(objectname)%09%(refname)")
        except GitFailed:
            return False  # the fetch will find out what is wrong with it
        lines = output.decode(errors="surrogateescape").split("\n")
        present = {name: oid for oid, _, name in (line.partition("\t") for line in lines)}
        return all(present.get(ref.name) == ref.object for ref in wanted.values())

    async def _fetch(self, wanted: Mapping[str, Ref]) -> None:
        self._mirror.mkdir(parents=True, exist_ok=True)
        async with locked_long(self._mirror):
            await to_thread.run_sync(_sweep, self._mirror)
            refspecs = self._allowed.refspecs(wanted)
            try:
                await self._fetch_into_mirror(refspecs)
            except GitTimedOut:
                raise
            except GitFailed:
                # The other side has just listed its refs. Either the network failed since, or the
                # mirror is damaged, and then no further fetch will mend it.
                if await self._is_sound():
                    raise
                log.warning("mirror damaged, made anew", source=self._remote.address.public)
                await to_thread.run_sync(_empty, self._mirror)
                await self._fetch_into_mirror(refspecs)
            with suppress(GitFailed):  # a mirror in many small packs is slower, and right
                await self._ask("gc", "--auto", "--quiet", deadline=HISTORY_SECONDS)

    async def _fetch_into_mirror(self, refspecs: tuple[str, ...]) -> None:
        await self._ask(*INIT)
        try:
            await self._fetch_with((COMMITS_ONLY,), refspecs)
        except GitFailed as error:
            if not refuses_filters(error.messages):
                raise
            await self._fetch_with(("--no-filter",), refspecs)

    async def _fetch_with(self, options: tuple[str, ...], refspecs: tuple[str, ...]) -> None:
        # The commit graph makes "which refs contain it" a matter of milliseconds.
        await self._remote.git.run(
            *FETCH, "--prune", "--write-commit-graph", *options, "--", "origin", *refspecs,
            directory=self._mirror, deadline=HISTORY_SECONDS, network=True,
        )  # fmt: skip

    async def _is_sound(self) -> bool:
        """Whether every commit behind the mirror's refs is there and readable."""
        try:
            await self._ask("-c", "core.commitGraph=false", "rev-list", "--quiet", "--all")
        except GitFailed:
            return False
        return True

    async def _is_commit(self, commit: Commit) -> bool:
        try:
            return await self._ask("cat-file", "-t", commit) == b"commit\n"
        except GitTimedOut:
            raise
        except GitFailed:
            return False

    async def _leads_to(self, commit: Commit, wanted: Mapping[str, Ref]) -> bool:
        output = await self._ask("for-each-ref", f"--contains={commit}", "--format=%(refname)")
        return any(name in wanted for name in output.decode(errors="surrogateescape").split("\n"))

    async def _ask(self, *arguments: str, deadline: float = LOCAL_SECONDS) -> bytes:
        output = await self._remote.git.run(*arguments, directory=self._mirror, deadline=deadline)
        return output.stdout


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

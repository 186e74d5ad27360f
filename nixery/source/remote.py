"""Remote repository: lists its refs and HEAD, and explains its failures."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import structlog

from nixery.concurrency.single_flight import SingleFlight
from nixery.errors import SourceUnavailable, StorageFull
from nixery.source.address import Address
from nixery.source.files import is_full, staged, sweep
from nixery.source.git_command import LISTING_SECONDS, TREE_SECONDS, Git, GitFailed, GitTimedOut
from nixery.source.refs import COMMIT, Commit, Ref, parse_listing

log = structlog.get_logger(__name__)

# No template, so no hooks or attributes from one.
INIT = ("init", "--quiet", "--bare", "--template=")
_SHA256_DIGITS = 64
FETCH = (
    "fetch",
    "--quiet",
    "--force",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--no-recurse-submodules",
)
COMMITS_ONLY = "--filter=tree:0"


class Remote:
    """A remote repository, with the local directory for it."""

    def __init__(self, address: Address, state: Path, environ: Mapping[str, str]) -> None:
        """``state``: contains the directories of all repositories."""
        self.address = address
        self.directory = state / hashlib.sha256(address.url.encode()).hexdigest()[:20]
        self.git = Git(address, self.directory, environ)
        self._fetches_head = True
        self._listings: SingleFlight[Mapping[str, Ref]] = SingleFlight()
        self._listings_started: Counter[tuple[str, ...]] = Counter()
        self._turn = asyncio.Semaphore(1)
        sweep(self.directory)

    async def refs(self, kinds: tuple[str, ...]) -> Mapping[str, Ref]:
        """All refs of these kinds (see ``listing``), as they were at the time of the call or later.

        Clients choose the tags and may ask for very many, so one listing runs at a time; calls that
        arrive meanwhile share the next one. Raises SourceUnavailable.
        """
        return await self._listings.run(
            (kinds, self._listings_started[kinds]), lambda _: self._list(kinds)
        )

    async def _list(self, kinds: tuple[str, ...]) -> Mapping[str, Ref]:
        async with self._turn:
            self._listings_started[kinds] += 1  # later calls may expect a newer ref
            return await self.listing(kinds)

    async def listing(self, kinds: tuple[str, ...], *names: str) -> dict[str, Ref]:
        """The refs with these names, or all if no name is given.

        ``kinds``: ``--heads``, ``--tags``, or empty for any. Raises SourceUnavailable.
        """
        # Git matches the end of a name, so callers compare the whole name.
        patterns = [pattern for name in names for pattern in (name, f"{name}^{{}}")]
        try:
            output = await self.git.run(
                "ls-remote", *kinds, "--", "origin", *patterns,
                directory=self.directory, deadline=LISTING_SECONDS, network=True,
            )  # fmt: skip
        except GitFailed as error:
            raise self.unavailable(error) from error
        return parse_listing(output.stdout)

    async def head(self) -> Commit | None:
        """The commit of HEAD, or None if the repository is empty.

        With ``git ls-remote HEAD`` the remote would list all refs: 50 MB of pull requests for
        nixpkgs. A fetch asks for HEAD only, and gets a single object, the commit.

        Raises SourceUnavailable.
        """
        if not self._fetches_head:
            listing = await self.listing((), "HEAD")
            return listing["HEAD"].commit if "HEAD" in listing else None
        async with staged(self.directory) as repository:
            git = self.git
            try:
                await git.run(*INIT, directory=repository, deadline=LISTING_SECONDS)
                fetched = await git.run(
                    *FETCH, "--depth=1", COMMITS_ONLY, "--", "origin", "+HEAD:refs/kept/head",
                    directory=repository, deadline=TREE_SECONDS, network=True,
                )  # fmt: skip
                found = await git.run(
                    "rev-parse", "--verify", "refs/kept/head",
                    directory=repository, deadline=LISTING_SECONDS,
                )  # fmt: skip
            except GitFailed as error:
                if "couldn't find remote ref HEAD" in error.messages:
                    return None
                if refuses_filters(error.messages) or has_other_format(error.messages):
                    self._fetches_head = False
                    return await self.head()
                raise self.unavailable(error) from error
            self._fetches_head = not refuses_filters(fetched.messages)
        commit = found.stdout.decode().strip()
        return commit if COMMIT.fullmatch(commit) else None

    def report(self, error: GitFailed) -> None:
        log.warning(
            "git failed",
            source=self.address.public,
            verb=error.verb,
            status=error.status,
            messages=error.messages.splitlines(),
        )

    def unavailable(self, error: GitFailed) -> SourceUnavailable | StorageFull:
        """The error for the client; git's own message goes to the log."""
        self.report(error)
        if is_full(error):
            return StorageFull("the disk for the package source is full")
        late = " in time" if isinstance(error, GitTimedOut) else ""
        return SourceUnavailable(
            f"the package source {self.address.public} does not answer{late}: try again later",
            cause="timeout" if late else "unreachable",
        )


def init_for(commit: Commit) -> tuple[str, ...]:
    """Arguments that create a repository which can hold the commit."""
    # Only if necessary: git before 2.29 does not know the option.
    return (*INIT, "--object-format=sha256") if len(commit) == _SHA256_DIGITS else INIT


def has_other_format(messages: str) -> bool:
    """Whether the remote's object format, sha1 or sha256, differs from the local repository's."""
    return "mismatched algorithms" in messages or "with different hash" in messages


def refuses_filters(messages: str) -> bool:
    """Whether the fetch failed because of the filter, or the server ignored the filter.

    The server does not support filters, or forbids this one, or a tag points to a tree or a file,
    which the filter omits although it was requested.
    """
    return any(
        text in messages
        for text in (
            "filtering not recognized",
            "filter 'tree' not supported",
            "did not send all necessary objects",
        )
    )

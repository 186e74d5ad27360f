"""Check whether an allowed ref contains a commit that a client named.

The inputs are the commit, and the remote's current refs. The mirror contains the allowed refs under
their names, and their commits. Refs that were deleted or force-pushed are updated in the mirror
before the answer.

    listing ── same as the mirror's refs? ──no──► fetch, prune
                        │yes                          │
                        ▼                             ▼
                  which refs contain the commit? at least one must be listed and allowed
"""

from collections.abc import Mapping

import anyio

from nixery.source.git_command import GitFailed
from nixery.source.mirror import Mirror
from nixery.source.refs import AllowedRefs, Commit, Ref
from nixery.source.remote import Remote

MOST_ANSWERS = 10_000
"""Commits whose answer is cached while the remote lists the same refs: 1 MB."""

MAX_SEARCHES = 8
"""Commits that are searched at once; each search is a git process."""


class History:
    def __init__(self, remote: Remote, allowed: AllowedRefs) -> None:
        self._remote = remote
        self._allowed = allowed
        self._mirror = Mirror(remote, "history", commits_only=True)
        self._searches = anyio.Semaphore(MAX_SEARCHES)
        self._answers: dict[Commit, bool] = {}
        self._answers_for: Mapping[str, Ref] = {}

    async def contains(self, commit: Commit, listing: Mapping[str, Ref]) -> bool:
        """Whether an allowed ref of the listing contains the commit.

        Raises SourceUnavailable, StorageFull.
        """
        wanted = self._allowed.of(listing)
        # A commit id of the other length cannot be in this repository.
        if all(len(ref.commit) != len(commit) for ref in wanted.values()):
            return False
        if wanted != self._answers_for or len(self._answers) >= MOST_ANSWERS:
            self._answers, self._answers_for = {}, wanted
        answers = self._answers
        if commit not in answers:
            async with self._searches:
                answers[commit] = await self._find(commit, wanted)
        return answers[commit]

    async def _find(self, commit: Commit, wanted: Mapping[str, Ref]) -> bool:
        try:
            await self._mirror.update(
                commit, self._allowed.refspecs(wanted), lambda: self._has(wanted)
            )
            return await self._mirror.has_commit(commit) and await self._leads_to(commit, wanted)
        except GitFailed as error:
            raise self._remote.unavailable(error) from error

    async def _has(self, wanted: Mapping[str, Ref]) -> bool:
        if not (self._mirror.directory / "HEAD").exists():
            return False
        try:
            output = await self._mirror.ask("for-each-ref", "--format=%(objectname)%09%(refname)")
        except GitFailed:
            return False  # the fetch will report the fault
        lines = output.decode(errors="surrogateescape").split("\n")
        present = {name: oid for oid, _, name in (line.partition("\t") for line in lines)}
        return all(present.get(ref.name) == ref.object for ref in wanted.values())

    async def _leads_to(self, commit: Commit, wanted: Mapping[str, Ref]) -> bool:
        # Refs that were allowed by earlier settings may still exist.
        output = await self._mirror.ask(
            "for-each-ref", f"--contains={commit}", "--format=%(refname)"
        )
        return any(name in wanted for name in output.decode(errors="surrogateescape").split("\n"))

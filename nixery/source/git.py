"""Git source: the client's tag selects the revision.

    latest                 HEAD of the repository
    40 or 64 hex digits    this commit, if an allowed ref contains it (or the patterns have ``*``)
    any other tag          the branch of this name, or else the tag of this name, if allowed

So a client cannot select a branch called ``latest``, one whose name is 40 or 64 hex digits, or one
with a ``/``, which image tags do not allow. HEAD is treated like its commit.
"""

import re

from nixery.errors import EvaluationFailed
from nixery.source import ResolvedSource, SourceTree
from nixery.source.history import History
from nixery.source.objects import NoSuchCommitError
from nixery.source.refs import COMMIT, AllowedRefs, Commit, unknown
from nixery.source.remote import Remote
from nixery.source.trees import Trees
from nixery.source.ttl_cache import TtlCache

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""Text that may reach git: letters and digits, but no option, path or pattern."""


class GitSource:
    def __init__(
        self, remote: Remote, allowed: AllowedRefs, trees: Trees, commits: TtlCache[Commit]
    ) -> None:
        self._remote = remote
        self._allowed = allowed
        self._history = History(remote, allowed)
        self._trees = trees
        self._commits = commits

    @property
    def origin(self) -> str:
        return self._remote.address.public

    async def resolve(self, tag: str) -> ResolvedSource:
        commit = await self._commits.get_or_find(tag, lambda: self.commit_of(tag))
        return ResolvedSource(self._remote.address.public, revision=commit, identity=commit)

    async def read(self, source: ResolvedSource) -> SourceTree:
        try:
            return await read(source, self._trees)
        except NoSuchCommitError as error:
            raise unknown(error.commit, source.url) from None

    async def commit_of(self, tag: str) -> Commit:
        """The commit that the tag names now; asks the remote every time.

        Raises TagUnknown and SourceUnavailable.
        """
        if COMMIT.fullmatch(tag):
            commit = tag if await self._may_be_named(tag) else None
        elif tag == "latest":
            head = await self._remote.head()
            commit = head if head and await self._may_be_named(head) else None
        elif _NAME.fullmatch(tag):
            commit = await self._named(tag)
        else:
            commit = None
        if commit is None:
            raise unknown(tag, self._remote.address.public)
        return commit

    async def _named(self, tag: str) -> Commit | None:
        names = (f"refs/heads/{tag}", f"refs/tags/{tag}")
        listing = await self._remote.refs(("--heads", "--tags"))
        found = (listing[name].commit for name in names if name in self._allowed.of(listing))
        return next(found, None)

    async def _may_be_named(self, commit: Commit) -> bool:
        if self._allowed.everything:
            return True
        listing = self._allowed.of(await self._remote.refs(self._allowed.kinds()))
        # The target of a ref needs no history check.
        if any(commit == ref.commit for ref in listing.values()):
            return True
        return await self._history.contains(commit, listing)


async def read(source: ResolvedSource, trees: Trees) -> SourceTree:
    """The package set in the files of the source's commit.

    Raises NoSuchCommitError, SourceUnavailable, StorageFull, and EvaluationFailed if the commit
    contains no package set.
    """
    assert source.revision is not None, "resolved by a source that has commits"
    tree = await trees.read(source.revision)
    if not (tree / "default.nix").is_file():
        raise EvaluationFailed(f"revision {source.revision} of {source.url} has no default.nix")
    return SourceTree(path=tree, root=tree)

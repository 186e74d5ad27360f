"""Channel source: a branch or a commit of a repository, selected by the operator."""

from collections.abc import Iterable

from nixery.errors import ConfigurationError, SourceUnavailable
from nixery.source import ResolvedSource, SourceTree
from nixery.source.git import read
from nixery.source.objects import NoSuchCommitError
from nixery.source.refs import COMMIT, AllowedTags, Commit, is_branch_name, unknown
from nixery.source.remote import Remote
from nixery.source.trees import Trees
from nixery.source.ttl_cache import TtlCache


class ChannelSource:
    """Accepts the tags of NIXERY_TAGS, and the channel's current revision.

    Does not check which ref contains the commit, because the operator selected it.
    """

    def __init__(
        self,
        channel: str,
        remote: Remote,
        tags: Iterable[str],
        trees: Trees,
        commits: TtlCache[Commit],
    ) -> None:
        """Raises ConfigurationError if a branch cannot have this name."""
        if not is_branch_name(channel):
            raise ConfigurationError(
                f"NIXERY_CHANNEL={channel!r} is neither a branch nor a commit: "
                "expected a name like nixos-unstable, or a commit's 40 or 64 hex digits"
            )
        self._channel = channel
        self._remote = remote
        self._tags = AllowedTags(tags)
        self._trees = trees
        self._commits = commits

    @property
    def origin(self) -> str:
        return f"{self._channel} of {self._remote.address.public}"

    async def resolve(self, tag: str) -> ResolvedSource:
        url = self._remote.address.public
        allowed = self._tags.allows(tag)
        if not allowed and not COMMIT.fullmatch(tag):
            raise unknown(tag, url)
        commit = await self._commits.get_or_find(self._channel, self.commit)
        if not allowed and tag != commit:
            raise unknown(tag, url)
        return ResolvedSource(url, revision=commit, identity=commit)

    async def read(self, source: ResolvedSource) -> SourceTree:
        try:
            return await read(source, self._trees)
        except NoSuchCommitError:
            raise self._missing() from None

    async def commit(self) -> Commit:
        """The channel's current commit. Raises SourceUnavailable."""
        if COMMIT.fullmatch(self._channel):
            return self._channel
        name = f"refs/heads/{self._channel}"
        listing = await self._remote.listing(("--heads",), name)
        if name not in listing:
            raise self._missing()
        return listing[name].commit

    def _missing(self) -> SourceUnavailable:
        return SourceUnavailable(
            f"the package source {self._remote.address.public} has no branch or commit "
            f"{self._channel}",
            cause="missing",
        )

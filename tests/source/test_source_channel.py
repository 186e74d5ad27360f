"""Channels: the operator chooses the revision, the client's tag only has to be allowed."""

import os
import time

import pytest
from support.fake_source import tree_of
from support.git_repository import Repository

from nixery.errors import ConfigurationError, SourceUnavailable, TagUnknown
from nixery.source.channel import ChannelSource
from nixery.source.factory import make_source
from nixery.source.git import GitSource
from nixery.source.path import PathSource

pytestmark = [pytest.mark.anyio, pytest.mark.machine]


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


@pytest.fixture
def make(tmp_path, repository):
    def make(**values):
        values = {"channel_url": str(repository.path), "environ": os.environ} | values
        return make_source(
            state_dir=tmp_path / "state",
            request_timeout=60,
            resolve_ttl=0,
            clock=time.monotonic,
            **values,
        )

    return make


async def test_branch(make, repository):
    """``latest`` and its current revision; the branch's name is not a tag."""
    first = repository.commit("1")
    repository.git("branch", "nixos/unstable")
    source = make(channel="nixos/unstable")
    for tag in ("latest", first):
        assert (await source.resolve(tag)).revision == first
    repository.commit("2")
    second = repository.commit("3")
    repository.git("branch", "--force", "nixos/unstable")
    for tag in ("latest", second):
        assert (await source.resolve(tag)).revision == second
    for tag in (first, "main", "unstable", "-x", "1.0"):
        with pytest.raises(TagUnknown, match=tag):
            await source.resolve(tag)


async def test_tags(make, repository):
    """NIXERY_TAGS: the operator's own, or any; all mean the channel."""
    commit = repository.commit("1")
    source = make(channel="main", tags=["stable"])
    assert (await source.resolve("stable")).revision == commit
    with pytest.raises(TagUnknown):
        await source.resolve("latest")
    source = make(channel="main", tags=["*"])
    for tag in ("latest", "anything", "f" * 40):
        assert (await source.resolve(tag)).revision == commit


async def test_commit(make, repository):
    """The operator may name any commit, one that no branch contains too; only it is fetched."""
    repository.commit("1")
    commit = repository.commit_elsewhere("refs/pull/1/head", "2")
    repository.commit("3")
    source = make(channel=commit)
    for tag in ("latest", commit):
        assert (await source.resolve(tag)).revision == commit
    with pytest.raises(TagUnknown):
        await source.resolve(repository.git("rev-parse", "main"))
    # It is stored locally, so the remote is not needed any more.
    repository.path.rename(repository.path.with_name("away"))
    assert (await make(channel=commit).resolve("latest")).revision == commit


@pytest.mark.parametrize("channel", ["missing", "0" * 40])
async def test_missing(make, repository, channel):
    """The operator's mistake is not a fault of the tag: 503, because it may exist tomorrow."""
    repository.commit("1")
    with pytest.raises(SourceUnavailable, match=channel):
        await tree_of(make(channel=channel), "latest")


async def test_a_tag_with_the_channels_name_is_not_a_branch(make, repository):
    """Only branches are channels."""
    repository.commit("1")
    repository.git("tag", "v1")
    with pytest.raises(SourceUnavailable):
        await make(channel="v1").resolve("latest")


async def test_gone(make, repository):
    """A remote that does not answer is named; a tag that is not allowed does not need it."""
    source = make(channel="main")
    repository.path.rename(repository.path.with_name("away"))
    with pytest.raises(SourceUnavailable, match=repository.path.as_uri()):
        await source.resolve("latest")
    with pytest.raises(TagUnknown):
        await source.resolve("other")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"channel": "-x"}, "NIXERY_CHANNEL"),
        ({"channel": "a b"}, "NIXERY_CHANNEL"),
        ({"channel": "main", "channel_url": "http://h.test/a"}, "must be like"),
        ({"repo": "ext::sh -c x"}, "must be like"),
        ({"repo": "/srv/a", "allowed_refs": []}, "empty"),
        ({"repo": "/srv/a", "allowed_refs": ["main"]}, "NIXERY_GIT_ALLOWED_REFS"),
        ({"repo": "/srv/a", "environ": {"PATH": "/nowhere"}}, "git is not on PATH"),
        ({"path": "/nowhere"}, "NIXERY_PKGS_PATH"),
    ],
)
def test_configuration(make, values, words):
    """Mistakes are found before the server starts."""
    with pytest.raises(ConfigurationError, match=words):
        make(**values)


def test_which_source(make, repository):
    repository.commit()
    assert isinstance(make(channel="main"), ChannelSource)
    assert isinstance(make(repo=str(repository.path)), GitSource)
    assert isinstance(make(path=str(repository.path)), PathSource)
    # Git is not used for a path.
    assert isinstance(make(path=str(repository.path), environ={}), PathSource)

"""Repositories whose objects are named by sha256: all that works with sha1 works there."""

import os
import shutil
import time

import pytest
from support.fake_source import tree_of
from support.git_repository import Repository
from support.source.revisions import revision

from nixery.errors import TagUnknown
from nixery.source.factory import make_source

pytestmark = [pytest.mark.anyio, pytest.mark.machine]
PULL_REQUEST = "refs/pull/1/head"


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository", objects="sha256")


async def test_every_kind_of_tag(make, repository):
    first = repository.commit("1")
    repository.git("tag", "--annotate", "--message=x", "once")
    repository.commit("2")
    third = repository.commit("3")
    assert len(third) == 64
    source = make()
    tags = {"once": first, "main": third, "latest": third, first: first, third: third}
    for tag, commit in tags.items():
        assert await revision(source, tag) == commit
    assert (await tree_of(source, first)).path.joinpath("default.nix").read_text() == "1"


@pytest.mark.parametrize("allowed", [(), ("*",)], ids=["contained", "everything"])
async def test_what_does_not_exist_is_unknown(make, repository, allowed):
    """A commit's name of the other length as well, which no such repository can have."""
    repository.commit("1")
    source = make(*allowed)
    for name in ("0" * 64, "0" * 40):
        with pytest.raises(TagUnknown):
            await tree_of(source, name)
    assert await revision(source, "main")


async def test_a_long_name_is_unknown_to_a_repository_of_sha1(make, tmp_path):
    Repository(tmp_path / "short").commit("1")
    for allowed in ((), ("*",)):
        with pytest.raises(TagUnknown):
            await tree_of(make(*allowed, repo=str(tmp_path / "short")), "0" * 64)


async def test_commits_of_pull_requests_are_unknown(make, repository):
    repository.commit("1")
    stranger = repository.commit_elsewhere(PULL_REQUEST, "stranger")
    repository.commit("2")
    with pytest.raises(TagUnknown):
        await tree_of(make(), stranger)


async def test_a_server_that_gives_out_tips_only(make, repository):
    first = repository.commit("1")
    repository.commit("2")
    source = make()
    run = source._remote.git.run

    async def old_protocol(*arguments, **options):
        return await run("-c", "protocol.version=0", *arguments, **options)

    source._remote.git.run = old_protocol
    assert (await tree_of(source, first)).path.joinpath("default.nix").read_text() == "1"


async def test_a_repository_created_again_with_another_object_format(make, repository, tmp_path):
    """Its mirror is made anew, too, by a running server and after a restart."""
    shutil.rmtree(repository.path)
    old = Repository(tmp_path / "repository")
    first = old.commit("1")
    old.commit("2")
    source = make()
    assert await revision(source, first) == first
    shutil.rmtree(old.path)
    new = Repository(tmp_path / "repository", objects="sha256")
    first, second = new.commit("1"), new.commit("2")
    for server in (source, make()):
        assert await revision(server, "latest") == second
        assert await revision(server, first) == first


@pytest.mark.parametrize("pinned", [True, False], ids=["commit", "branch"])
async def test_a_channel(repository, tmp_path, pinned):
    commit = repository.commit("1")
    source = make_source(
        channel=commit if pinned else "main",
        channel_url=str(repository.path),
        state_dir=tmp_path / "state",
        request_timeout=60,
        resolve_ttl=0,
        clock=time.monotonic,
        environ=os.environ,
    )
    for tag in ("latest", commit):
        assert await revision(source, tag) == commit

"""NIXERY_ALLOWED_PATHS: what evaluation may read besides the package set, and changes in it."""

import os

import pytest
from support.clock import Clock

from nixery.errors import ConfigurationError, SourceUnavailable
from nixery.source.factory import make_source
from nixery.source.further_paths import FurtherPath

pytestmark = pytest.mark.machine


def beside_of(paths):
    return [FurtherPath(path, "NIXERY_ALLOWED_PATHS") for path in paths]


@pytest.fixture(params=["path", "repo", "channel"])
def make(request, tmp_path, repository):
    repository.commit("1")
    (tmp_path / "set.nix").write_text("{ }")
    kinds = {
        "path": {"path": str(tmp_path / "set.nix")},
        "repo": {"repo": str(repository.path)},
        "channel": {"channel": "main", "channel_url": str(repository.path)},
    }

    def make(*beside, clock=Clock(), ttl=0):  # noqa: B008 - nothing waits for this one
        return make_source(
            **kinds[request.param],
            beside=iter(beside_of(beside)),
            state_dir=tmp_path / "state",
            request_timeout=60,
            resolve_ttl=ttl,
            clock=clock,
            environ=os.environ,
        )

    return make


def test_a_path_that_is_not_there_ends_the_start(make, tmp_path):
    """For every kind of source; the setting and the path are named."""
    with pytest.raises(ConfigurationError) as caught:
        make(tmp_path, tmp_path / "missing")
    assert caught.value.message == (
        f"NIXERY_ALLOWED_PATHS: {tmp_path}/missing cannot be read (No such file or directory): "
        "name an existing path"
    )


def test_a_link_into_nowhere_ends_the_start(make, tmp_path):
    (tmp_path / "link").symlink_to("missing")
    with pytest.raises(ConfigurationError, match=f"{tmp_path}/link cannot be read"):
        make(tmp_path / "link")


@pytest.mark.anyio
async def test_a_change_is_seen_after_the_time_to_live(make, tmp_path):
    """The identity distinguishes cached evaluations; the revision names the commit."""
    beside = tmp_path / "beside.nix"
    beside.write_text("1")
    clock = Clock()
    source = make(beside, clock=clock, ttl=60)
    before = await source.resolve("latest")
    beside.write_text("2")
    clock.forward(59)
    assert await source.resolve("latest") == before
    clock.forward(1)
    after = await source.resolve("latest")
    assert after.identity != before.identity
    assert (after.url, after.revision) == (before.url, before.revision)
    assert (await source.read(after)).path.exists()
    assert await make(beside).resolve("latest") == after  # also after a restart


@pytest.mark.anyio
async def test_a_path_that_is_removed_later_is_named(make, tmp_path):
    beside = tmp_path / "beside.nix"
    beside.touch()
    source = make(beside)
    beside.unlink()
    with pytest.raises(SourceUnavailable) as caught:
        await source.resolve("latest")
    assert caught.value.message == (
        f"{beside}, which NIXERY_ALLOWED_PATHS names, cannot be read (No such file or directory)"
    )

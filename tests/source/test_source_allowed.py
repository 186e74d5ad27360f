"""NIXERY_ALLOWED_PATHS: what evaluation may read beside the package set must be there."""

import os
import time

import pytest

from nixery.errors import ConfigurationError, SourceUnavailable
from nixery.source.factory import make_source


@pytest.fixture(params=["path", "repo", "channel"])
def make(request, tmp_path, repository):
    repository.commit("1")
    (tmp_path / "set.nix").write_text("{ }")
    kinds = {
        "path": {"path": str(tmp_path / "set.nix")},
        "repo": {"repo": str(repository.path)},
        "channel": {"channel": "main", "channel_url": str(repository.path)},
    }

    def make(*beside):
        return make_source(
            **kinds[request.param],
            beside=iter(beside),
            state_dir=tmp_path / "state",
            request_timeout=60,
            resolve_ttl=0,
            clock=time.monotonic,
            environ=os.environ,
        )

    return make


def test_a_path_that_is_not_there_ends_the_start(make, tmp_path):
    """Whatever kind of source it is; the setting and the path are named."""
    with pytest.raises(ConfigurationError) as caught:
        make(tmp_path, tmp_path / "missing")
    assert caught.value.message == (
        f"NIXERY_ALLOWED_PATHS: {tmp_path}/missing cannot be read (No such file or directory): "
        "name what is there"
    )


def test_a_link_into_nowhere_ends_the_start(make, tmp_path):
    (tmp_path / "link").symlink_to("missing")
    with pytest.raises(ConfigurationError, match=f"{tmp_path}/link cannot be read"):
        make(tmp_path / "link")


@pytest.mark.anyio
@pytest.mark.parametrize("make", ["path"], indirect=True)
async def test_what_is_taken_away_later_is_named(make, tmp_path):
    beside = tmp_path / "beside.nix"
    beside.touch()
    source = make(beside)
    beside.unlink()
    with pytest.raises(SourceUnavailable) as caught:
        await source.resolve("latest")
    assert caught.value.message == (
        f"{beside} cannot be read (No such file or directory), which NIXERY_ALLOWED_PATHS names"
    )

"""A repository, and a source that reads it."""

import os
import time

import pytest
from support.git_repository import Repository

from nixery.source.factory import make_source
from nixery.source.git import GitSource


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


@pytest.fixture
def make(tmp_path, repository):
    """A source of the repository; a second one is like the server after a restart."""

    def make(*allowed, repo=None, state="state") -> GitSource:
        source = make_source(
            repo=repo or str(repository.path),
            allowed_refs=allowed or ("refs/heads/*", "refs/tags/*"),
            state_dir=tmp_path / state,
            request_timeout=60,
            resolve_ttl=0,
            clock=time.monotonic,
            environ=os.environ,
        )
        assert isinstance(source, GitSource)
        return source

    return make

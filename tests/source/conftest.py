"""A repository, and a source that reads it."""

import os
import time

import pytest
from support.git_repository import Repository

from nixery.source.address import parse_address
from nixery.source.factory import make_source
from nixery.source.git import GitSource
from nixery.source.remote import Remote
from nixery.source.trees import TreeLimits, Trees


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


@pytest.fixture
def make_trees(tmp_path, repository):
    """The trees of the repository's commits."""

    def make(limits=None, clock=None) -> Trees:
        remote = Remote(parse_address(str(repository.path)), tmp_path / "git", os.environ)
        options = {"clock": clock} if clock else {}
        return Trees(
            remote, tmp_path / "sources", limits or TreeLimits(in_use_for=60, kept=2), **options
        )

    return make

"""A real Nix for the proofs that need one, as the integration tests have it."""

import random

import pytest
from support.tiny_set import make_store, make_tiny_set, nix_environment

SEED = 3


@pytest.fixture(scope="session")
def tiny():
    return make_tiny_set()


@pytest.fixture(scope="session")
def nix_store():
    return make_store()


@pytest.fixture(scope="session", name="nix_environment")
def _nix_environment(nix_store, tmp_path_factory):
    return nix_environment(nix_store, tmp_path_factory.mktemp("home"))


@pytest.fixture
def draw():
    """The same numbers in every run, so that what was found can be found again."""
    return random.Random(SEED)

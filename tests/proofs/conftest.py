"""A real Nix for the proofs that need one, as the integration tests have it."""

import random

import pytest

SEED = 3


@pytest.fixture
def draw():
    """The same numbers in every run, so that what was found can be found again."""
    return random.Random(SEED)

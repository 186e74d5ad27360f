"""Fixtures of long proofs."""

import random

import pytest

SEED = 3


@pytest.fixture
def draw():
    """The same random numbers in every run, so that failures can be reproduced."""
    return random.Random(SEED)

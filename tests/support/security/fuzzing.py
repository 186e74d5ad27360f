"""The number of fuzz examples: a fixed sample, or the request of ``scripts/fuzz``."""

import os

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""For each target, other ones for each seed; 0 for the fixed sample."""


LARGE_INPUTS = pytest.mark.filterwarnings("default::hypothesis.errors.HypothesisWarning")
"""For modules whose inputs are long: that one is too long to print well must not hide a failure."""


def sampled(usual):
    """Settings for a target of which ``usual`` examples are tried when all tests run."""
    return settings(
        max_examples=EXAMPLES or usual,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )

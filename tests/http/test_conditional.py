"""If-None-Match and If-Range."""

import pytest

from nixery.http.headers import applies_range, etag, is_known
from nixery.oci import digest_of

DIGEST = digest_of(b"one")
OTHER = digest_of(b"two")


@pytest.mark.parametrize(
    ("lines", "known"),
    [
        pytest.param([], False, id="none"),
        pytest.param([f'"{DIGEST}"'], True, id="the tag"),
        pytest.param([f'W/"{DIGEST}"'], True, id="weak"),
        pytest.param([f'"{OTHER}", "{DIGEST}"'], True, id="a list"),
        pytest.param([f'"{OTHER}"', f'W/"{DIGEST}"'], True, id="two lines"),
        pytest.param(["*"], True, id="any"),
        pytest.param([" * "], True, id="any, with spaces"),
        pytest.param([f'"{OTHER}"'], False, id="another"),
        pytest.param([f'"{DIGEST}x"'], False, id="longer"),
        pytest.param([DIGEST], False, id="no quotes"),
        pytest.param(['"*"'], False, id="a tag that is a star"),
    ],
)
def test_if_none_match(lines, known):
    """The comparison is weak, and any line may match."""
    assert is_known(lines, DIGEST) is known


@pytest.mark.parametrize(
    ("if_range", "holds"),
    [
        (None, True),
        (etag(DIGEST), True),
        (etag(OTHER), False),
        (f"W/{etag(DIGEST)}", False),
        ("Tue, 24 Nov 2026 00:00:00 GMT", False),
    ],
)
def test_if_range(if_range, holds):
    """A range counts only for the very same bytes."""
    assert applies_range(if_range, DIGEST) is holds

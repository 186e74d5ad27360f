"""Range headers: the table of RFC 9110, and any bytes at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixery.http.headers import Part, Unsatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-499", Part(0, 500)),
        ("bytes=500-", Part(500, 1000)),
        ("bytes=-100", Part(900, 1000)),
        ("bytes=0-0", Part(0, 1)),
        ("bytes=999-", Part(999, 1000)),
        ("bytes=0-", Part(0, 1000)),
        ("bytes=0-99999", Part(0, 1000)),
        ("bytes=-99999", Part(0, 1000)),
        ("BYTES=1-2", Part(1, 3)),
        ("bytes= 1-2 ", Part(1, 3)),
        ("bytes=1000-", Unsatisfiable()),
        ("bytes=1000-1001", Unsatisfiable()),
        ("bytes=-0", Unsatisfiable()),
        ("bytes=2-1", None),
        ("bytes=2-0", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=0-1,5-6", None),
        ("bytes=a-b", None),
        ("bytes=0--1", None),
        ("bytes=+1-2", None),
        ("bytes=\u0661-\u0662", None),
        ("bytes=" + "9" * 5000 + "-", None),
        ("lines=0-1", None),
        ("0-1", None),
        ("", None),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_header(header, expected):
    """Of a blob of 1000 bytes."""
    assert parse_range(header, 1000) == expected


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_empty_blob(header):
    """No byte of an empty blob can be had."""
    assert parse_range(header, 0) == Unsatisfiable()


@given(
    st.one_of(
        st.text(),
        st.from_regex(r"bytes=[0-9]{0,20}-[0-9]{0,20}", fullmatch=True),
    ),
    st.integers(0, 10**19),
)
def test_a_part_lies_inside(header, size):
    """Whatever the header says, a part is not empty and not outside of the blob."""
    part = parse_range(header, size)
    if isinstance(part, Part):
        assert 0 <= part.start < part.stop <= size

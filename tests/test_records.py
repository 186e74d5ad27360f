"""Valid JSON records, and misses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixery import records
from nixery.records import Malformed, digest, elements, hex_key, member, natural, read, text

DEEP = b"[" * 100_000 + b"]" * 100_000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_any_json_value_is_read_as_it_is(value):
    assert records.parse(json.dumps(value).encode()) == value
    assert records.parse(json.dumps(value, ensure_ascii=False)) == value


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="torn"),
        pytest.param(b"1 2", id="two values"),
        pytest.param(b'"\xff"', id="not UTF-8"),
        pytest.param('"x"'.encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf1", id="byte order mark"),
        pytest.param(b"NaN", id="NaN"),
        pytest.param(b"-Infinity", id="infinity"),
        pytest.param(b"1e999", id="a number that is infinite"),
        pytest.param(b"9" * 5000, id="an integer of 5,000 digits"),
        pytest.param(b"9223372036854775808", id="an integer of 65 bits"),
        pytest.param(rb'"\ud800"', id="half of a pair"),
        pytest.param(rb'{"\udfff": 1}', id="half of a pair as a name"),
        pytest.param('"\ud800"', id="half of a pair in text"),
        pytest.param(b'"\x00"', id="a control character"),
        pytest.param(b'{"a": 1, "a": 1}', id="a member twice"),
        pytest.param(DEEP, id="deep"),
        pytest.param(b" " * records.MAX_RECORD + b"1", id="large"),
    ],
)
def test_anything_else_is_malformed(data):
    with pytest.raises(Malformed):
        records.parse(data)
    assert read(data, lambda value: [value]) is None


def test_a_pair_of_surrogates_is_a_character():
    assert records.parse(rb'"\ud83d\ude00"') == "\U0001f600"


def test_a_record_that_is_too_deep_for_its_reader_is_a_miss():
    def deeper(value):
        return deeper([value])

    assert read(b"1", deeper) is None


DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("accessor", "good", "bad"),
    [
        (natural, [0, (1 << 63) - 1], [-1, True, 1.0, "1", None]),
        (text, ["", "x"], [b"x", 1, None]),
        (digest, [DIGEST], ["a" * 64, DIGEST.upper(), DIGEST + "\n", 1]),
        (hex_key, ["a" * 64], ["../" + "a" * 61, "A" * 64, "a" * 64 + "\n", 1]),
        (elements, [[], [1]], [{}, "ab", None]),
        (lambda value: member(value, "x"), [{"x": 1}], [{}, {"y": 1}, ["x"], "x"]),
    ],
)
def test_an_accessor_returns_only_its_type(accessor, good, bad):
    for value in good:
        accessor(value)
    for value in bad:
        with pytest.raises(Malformed):
            accessor(value)

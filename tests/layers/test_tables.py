"""Tables as values and as JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.layers.closures import unit_tables

from nixery.layers.tables import (
    Popularity,
    Units,
    encode_popularity,
    encode_units,
    parse_popularity,
    parse_units,
    version,
)

POPULARITIES = st.dictionaries(st.text("abc-1.", min_size=1), st.integers(0, 10**9)).map(Popularity)
UNREADABLE = [b"", b"\xff", b"[]", b"null", b'{"a": ', b"[" * 100_000, b'"text"', b"1"]


@given(POPULARITIES)
def test_popularity_survives_its_encoding(popularity):
    assert parse_popularity(encode_popularity(popularity)) == popularity


@given(unit_tables())
def test_units_survive_their_encoding(tables):
    assert parse_units(encode_units(tables.units)) == tables.units


@given(st.binary() | st.sampled_from(UNREADABLE))
def test_invalid_bytes_are_not_an_error(data):
    parse_popularity(data)
    assert parse_units(data) is None


@pytest.mark.parametrize("data", UNREADABLE)
def test_unreadable_popularity_is_none(data):
    assert parse_popularity(data) is None


@pytest.mark.parametrize("count", ["-1", "1.5", "true", '"9"', "null", "[]", "1e999"])
def test_a_count_is_a_number_of_packages(count):
    assert parse_popularity(b'{"glibc": %s}' % count.encode()) is None


@pytest.mark.parametrize(
    "content",
    [
        '{"format":2,"units":[],"unions":{}}',
        '{"format":1,"units":[["a"],["a"]],"unions":{}}',
        '{"format":1,"units":[["a"]],"unions":{"94":[[0,1]]}}',
        '{"format":1,"units":[["a"],["b"]],"unions":{"94":[[0,1],[1]]}}',
        '{"format":1,"units":[["a"],["b"]],"unions":{"94":[[-1,0]]}}',
        '{"format":1,"units":[["a"],["b"]],"unions":{"many":[[0,1]]}}',
        '{"format":1,"units":[[1]],"unions":{}}',
        '{"format":1,"units":["ab"],"unions":{"94":[["a"]]}}',
        '{"format":1,"units":{},"unions":{}}',
        '{"format":1,"units":[["a"]],"unions":{"94":[[true]]}}',
    ],
)
def test_a_contradictory_table_is_none(content):
    assert parse_units(content.encode()) is None


def test_equal_knowledge_has_one_version():
    one = Popularity({"a": 1, "b": 2})
    other = Popularity({"b": 2, "a": 1})
    assert version(encode_popularity(one)) == version(encode_popularity(other))
    assert version(encode_popularity(one)) != version(encode_popularity(Popularity({"a": 1})))


def test_versions_do_not_change_with_the_program():
    """They are names of objects in buckets."""
    units = Units((("git", "pcre2"), ("curl",), ("zlib",)), {20: ((1, 2),)})
    assert encode_units(units) == (
        b'{"format":1,"unions":{"20":[[1,2]]},"units":[["git","pcre2"],["curl"],["zlib"]]}'
    )


@pytest.mark.parametrize("order", [1, -1])
def test_popularity_prefers_the_version_and_else_takes_the_most_popular_one(order):
    counts = [("llvm-14.0.6", 5), ("llvm-16.0.6", 90), ("zlib", 7)]
    popularity = Popularity(dict(counts[::order]))
    assert popularity.of("/nix/store/x-llvm-14.0.6") == 5
    assert popularity.of("/nix/store/x-llvm-17.0.1") == 90
    assert popularity.of("/nix/store/x-zlib-1.3") == 7
    assert popularity.of("/nix/store/x-curl-8.4") == 0

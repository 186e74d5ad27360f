"""Tables on disk: what they return, and that they clean up."""

import random
from contextlib import closing

import pytest

from nixery.archive.spool import MAX_FIRSTS, PAGE, Firsts, Names
from nixery.errors import StorageUnavailable


def test_names_come_back_sorted_by_their_bytes(tmp_path):
    expected = [b"%d" % number for number in range(3 * PAGE)] + [b"\xff", b"\xc3\xa9", b"a\n"]
    shuffled = random.Random(1).sample(expected, len(expected))
    with closing(Names(tmp_path)) as names:
        number = names.add((shuffled[:100], shuffled[50:]))  # some of them twice
        assert list(names.of(number)) == sorted(expected)


def test_a_directory_may_be_added_while_another_is_read(tmp_path):
    """As a walk does that goes down into one."""
    with closing(Names(tmp_path)) as names:
        outer = names.of(names.add([[b"%04d" % number for number in range(PAGE + 1)]]))
        first = next(outer)
        assert list(names.of(names.add([[b"inner"], []]))) == [b"inner"]
        assert len([first, *outer]) == PAGE + 1


@pytest.mark.parametrize("kinds", [10, MAX_FIRSTS + 10], ids=["in memory", "on disk"])
def test_the_first_name_of_a_key_is_given_to_so_many(tmp_path, kinds):
    with closing(Firsts(tmp_path, 2)) as firsts:
        for kind in range(kinds):
            firsts.claim(b"%d" % kind, b"first")
        for name in (b"second", b"third"):
            assert firsts.claim(b"0", name) == b"first"
        assert firsts.claim(b"0", b"fourth") is None
        assert firsts.claim(b"0", b"fifth") == b"fourth"


def test_links_are_counted_on_when_memory_is_full(tmp_path):
    with closing(Firsts(tmp_path, 2)) as firsts:
        assert [firsts.claim(b"early", name) for name in (b"1", b"2")] == [None, b"1"]
        for kind in range(MAX_FIRSTS):
            firsts.claim(b"%d" % kind, b"")
        assert [firsts.claim(b"early", name) for name in (b"3", b"4")] == [b"1", None]


def test_the_file_has_no_name(tmp_path):
    """So it is gone however the process ends."""
    scratch = tmp_path / "made" / "when needed"
    with closing(Names(scratch)) as names:
        names.add([[b"name"]])
        assert list(scratch.iterdir()) == []


def test_a_place_that_cannot_be_used_is_a_failure_of_the_disk(tmp_path):
    (tmp_path / "file").touch()
    with closing(Names(tmp_path / "file")) as names, pytest.raises(StorageUnavailable):
        names.add([[b"name"]])

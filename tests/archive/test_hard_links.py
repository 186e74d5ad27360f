"""Which files are links to which."""

import os
from pathlib import Path

import pytest
from support.archive.packing import walk
from support.archive.store_trees import make_store

from nixery.archive.hard_links import MAX_LINKS, HardLinks
from nixery.errors import StoreDamaged

SCRATCH = 8  # bytes; contents below are shorter and longer


@pytest.fixture
def twins_of(tmp_path):
    """The links of a tree in a store path ``x``, and its files by name."""

    def make(tree):
        make_store(tmp_path, {b"x/" + name: content for name, content in tree.items()})
        entries = list(walk(os.fsencode(tmp_path) + b"/nix/store/x"))
        files = {entry.path.rpartition(b"/")[2]: entry for entry in entries}
        return HardLinks(entries, memoryview(bytearray(SCRATCH))), files

    return make


def test_only_files_of_one_size_and_mode_may_be_twins(twins_of):
    links, files = twins_of(
        {b"a": b"12", b"b": b"34", b"c": b"567", b"bin/d": b"567", b"e": b"", b"f": b""}
    )
    possible = {
        name
        for name in (b"a", b"b", b"c", b"d", b"e", b"f")
        if links.may_have_duplicate(files[name])
    }
    assert possible == {b"a", b"b"}


@pytest.mark.parametrize("content", [b"short", b"much longer than the scratch"])
def test_the_first_of_equal_files_is_stored_and_the_others_link_to_it(twins_of, content):
    links, files = twins_of({b"a": content, b"b": content, b"c": content[::-1]})
    assert links.link_target(files[b"a"], b"name of a")[0] is None
    assert links.link_target(files[b"c"], b"name of c")[0] is None
    assert links.link_target(files[b"b"], b"name of b")[0] == b"name of a"


@pytest.mark.parametrize("other", [b"12345678+", b"1234567+-"])
def test_what_differs_in_one_piece_differs(twins_of, other):
    links, files = twins_of({b"a": b"12345678-", b"b": other})
    assert links.link_target(files[b"a"], b"a")[0] is None
    assert links.link_target(files[b"b"], b"b")[0] is None


def test_content_that_fits_is_not_read_again(twins_of):
    links, files = twins_of({b"a": b"short", b"b": b"other"})
    assert links.link_target(files[b"a"], b"a")[1] == b"short"


def test_one_inode_is_read_once(twins_of):
    links, files = twins_of({b"a": b"short", b"b": b"other"})
    links.link_target(files[b"a"], b"a")
    unread = files[b"a"]._replace(path=b"/nowhere")
    assert links.link_target(unread, b"c")[0] == b"a"


def test_a_number_on_another_device_is_another_inode(twins_of):
    """Inode numbers repeat where one file system is mounted in another."""
    links, files = twins_of({b"a": b"short", b"b": b"other"})
    device, number = files[b"a"].inode
    elsewhere = files[b"b"]._replace(inode=(device + 1, number))
    assert links.link_target(files[b"a"], b"a")[0] is None
    assert links.link_target(elsewhere, b"b")[0] is None


@pytest.mark.parametrize("content", [b"short", b"much longer than the scratch"])
def test_a_file_that_grew_is_not_a_duplicate(twins_of, content):
    links, files = twins_of({b"a": content, b"b": content})
    Path(os.fsdecode(files[b"b"].path)).write_bytes(content + b"+")
    links.link_target(files[b"a"], b"a")
    with pytest.raises(StoreDamaged, match="/b grew while it was read"):
        links.link_target(files[b"b"], b"b")


def test_executables_are_not_linked_to_other_files(twins_of):
    """The mode belongs to the inode, which both would share."""
    links, files = twins_of({b"1": b"x", b"2": b"x", b"bin/3": b"x", b"bin/4": b"x"})
    assert links.link_target(files[b"1"], b"1")[0] is None
    assert links.link_target(files[b"3"], b"3")[0] is None
    assert links.link_target(files[b"4"], b"4")[0] == b"3"


def test_no_file_gets_more_links_than_file_systems_take(twins_of):
    """Above the limit the content is stored again."""
    links, files = twins_of({b"a": b"x", b"b": b"x"})
    names = [b"%d" % number for number in range(2 * MAX_LINKS)]
    stored = [name for name in names if links.link_target(files[b"a"], name)[0] is None]
    assert stored == [b"0", b"%d" % (MAX_LINKS + 1)]

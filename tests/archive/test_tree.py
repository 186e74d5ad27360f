"""Walking store paths."""

import os

import pytest
from support.archive.packing import walk
from support.archive.store_trees import make_store

from nixery.archive.contents import fill, open_file, target_of
from nixery.archive.tree import Directory, File, Symlink
from nixery.errors import StoreDamaged


def test_parents_come_first_and_names_in_order_of_their_bytes(tmp_path):
    """``a-b`` sorts before ``a/…`` as a string, and after ``a`` with all below it here."""
    names = [b"x/a/b", b"x/a-b", b"x/Z", b"x/\xff", b"x/\xc3\xa9", b"x/a/a"]
    make_store(tmp_path, dict.fromkeys(names, b""))
    top = os.fsencode(tmp_path) + b"/nix/store/x"
    walked = [entry.path.removeprefix(top) for entry in walk(top)]
    assert walked == [b"", b"/Z", b"/a", b"/a/a", b"/a/b", b"/a-b", b"/\xc3\xa9", b"/\xff"]


def test_entries_say_what_a_header_needs(tmp_path):
    make_store(tmp_path, {b"x/bin/run": b"12345", b"x/link": "bin/run", b"x/plain": b"1"})
    found = {entry.path.rpartition(b"/")[2]: entry for entry in walk(os.fsencode(tmp_path))}
    assert isinstance(found[b"x"], Directory)
    assert isinstance(found[b"link"], Symlink)
    assert found[b"link"].target == b"bin/run"
    assert isinstance(found[b"run"], File)
    assert (found[b"run"].size, found[b"run"].executable) == (5, True)
    assert not found[b"plain"].executable
    status = (tmp_path / "nix/store/x/plain").stat()
    assert found[b"plain"].inode == (status.st_dev, status.st_ino)


def test_the_owners_bit_alone_makes_a_file_executable(tmp_path):
    """As in a NAR: what others may do is up to the machine."""
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o655)
    assert not next(walk(bytes(file))).executable
    file.chmod(0o744)
    assert next(walk(bytes(file))).executable


def test_a_store_path_that_is_gone_is_named(tmp_path):
    with pytest.raises(StoreDamaged, match="/gone is not in the store"):
        list(walk(bytes(tmp_path / "gone")))


def test_what_nix_never_stores_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreDamaged, match="pipe is neither a file, a directory nor a symlink"):
        list(walk(bytes(tmp_path)))


@pytest.fixture
def descriptor(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_a_file_may_be_read_in_pieces(descriptor):
    first, second = bytearray(2), bytearray(3)
    fill(descriptor, memoryview(first), b"file", last=False)
    fill(descriptor, memoryview(second), b"file", last=True)
    assert first + second == b"12345"


def test_a_truncated_file_is_an_error(descriptor):
    with pytest.raises(StoreDamaged, match="file shrank"):
        fill(descriptor, memoryview(bytearray(6)), b"file", last=False)


def test_a_growing_file_is_an_error(descriptor):
    with pytest.raises(StoreDamaged, match="file grew"):
        fill(descriptor, memoryview(bytearray(4)), b"file", last=True)


def test_a_symlink_in_the_place_of_a_file_is_not_followed(tmp_path):
    (tmp_path / "file").symlink_to("/etc/passwd")
    with pytest.raises(StoreDamaged, match="file is no longer in the store"):
        open_file(bytes(tmp_path / "file"))


def test_a_directory_in_the_place_of_a_file_has_no_content(tmp_path):
    """It can be opened; only reading fails."""
    descriptor = open_file(bytes(tmp_path))
    with pytest.raises(StoreDamaged, match="file was replaced by a directory"):
        fill(descriptor, memoryview(bytearray(1)), b"file", last=True)
    os.close(descriptor)


def test_a_file_whose_directory_became_a_file_is_gone(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreDamaged, match="file/x is no longer in the store"):
        open_file(bytes(tmp_path / "file/x"))


def test_a_file_in_the_place_of_a_directory_is_named(tmp_path):
    (tmp_path / "replaced").mkdir()
    entries = walk(bytes(tmp_path))
    next(entries)
    assert next(entries) == Directory(bytes(tmp_path / "replaced"))
    (tmp_path / "replaced").rmdir()
    (tmp_path / "replaced").touch()
    with pytest.raises(StoreDamaged, match="/replaced was replaced while it was read"):
        next(entries)


def test_a_file_in_the_place_of_a_symlink_is_named(tmp_path):
    """Between reading its type and reading its target."""
    (tmp_path / "link").touch()
    with pytest.raises(StoreDamaged, match="/link was replaced while it was read"):
        target_of(bytes(tmp_path / "link"))

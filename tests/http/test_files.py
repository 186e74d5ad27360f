"""Reading a part of a file."""

import os

import pytest
from support.wire.opened import opened

from nixery.errors import BlobUnknown
from nixery.http import files


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "READ_BYTES", 4)
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    return path


def test_whole(path):
    """In pieces, in order, the last one shorter; nothing stays open."""
    before = opened()
    assert list(files.pieces(path, 10, 0, 10)) == [b"0123", b"4567", b"89"]
    assert not opened() - before


def test_part(path):
    """A range ends at its last byte, also within a chunk."""
    assert list(files.pieces(path, 10, 1, 6)) == [b"1234", b"5"]


def test_empty(tmp_path):
    """An empty file is one."""
    (tmp_path / "empty").touch()
    assert list(files.pieces(tmp_path / "empty", 0, 0, 0)) == []


def test_left_early(path):
    """A reader that stops early closes the file."""
    before = opened()
    pieces = files.pieces(path, 10, 0, 10)
    next(pieces)
    assert [name for _, name in opened() - before] == [str(path)]
    pieces.close()
    assert not opened() - before


@pytest.mark.parametrize("size", [9, 11])
def test_another_size(path, size):
    """A file that changed since it was located is not a blob any more; no file stays open."""
    before = opened()
    with pytest.raises(BlobUnknown):
        next(files.pieces(path, size, 0, size))
    assert not opened() - before


def test_vanished(tmp_path):
    """Collected between being located and being opened."""
    with pytest.raises(BlobUnknown):
        next(files.pieces(tmp_path / "gone", 1, 0, 1))


def test_shrinks(path):
    """Ends early, without a piece that is empty."""
    pieces = files.pieces(path, 10, 0, 10)
    assert next(pieces) == b"0123"
    os.truncate(path, 6)
    assert list(pieces) == [b"45"]

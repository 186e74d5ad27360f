"""Whiteouts, names that delete files in lower layers, are left out of images."""

import pytest
from structlog.testing import capture_logs
from support.archive.packing import packed
from support.archive.store_trees import make_store, read_back, tar_of, top_level, with_directories

from nixery.archive import Gzip, Uncompressed, pack

KEPT = {b"aaa/.wh": b"1", b"aaa/x.wh.y": b"2", b"aaa/bin/run": b"3"}
GONE = {
    b"aaa/.wh..wh..opq": b"",
    b"aaa/.wh.bin": b"3",  # as large as others, but without an equal file
    b"aaa/share/.wh.x": "../bin/run",
    b"aaa/.wh.directory/within": b"",
    b"aaa/\xe9/.wh.\xe9": None,
}
SHARE = {b"aaa/share": None, b"aaa/\xe9": None}


@pytest.mark.parametrize("name", [*GONE, *KEPT])
def test_other_files_are_kept(tmp_path, storage, name):
    tree = KEPT | {name: (KEPT | GONE)[name]}
    parents = {path: None for path in SHARE if name.startswith(path)}
    make_store(tmp_path, tree)
    layer = pack(["/nix/store/aaa"], tmp_path, storage, Uncompressed())
    assert read_back(tar_of(storage, layer)) == with_directories(KEPT | parents)


def test_it_is_logged_once(tmp_path, storage):
    make_store(tmp_path, KEPT | GONE)
    with capture_logs() as logs:
        pack(["/nix/store/aaa"], tmp_path, storage, Gzip())
    (line,) = logs
    assert line["log_level"] == "warning"
    assert line["first"] == "/nix/store/aaa/.wh..wh..opq"
    assert line["all"] == len(GONE)


def test_others_are_not_logged(store_root):
    with capture_logs() as logs:
        packed(store_root, paths=top_level())
    assert logs == []

"""Symbolic links are data: any target that a file system can hold is packed as it is."""

import os

import pytest
from support.archive.store_trees import members, tar_of

from nixery.archive import Uncompressed, pack, pack_environment
from nixery.storage.memory import MemoryStorage

TARGETS = {
    "as long as possible": b"a" * 4095,
    "a long component": b"x" * 300,
    "deep": b"/".join([b"d" * 200] * 20),
    "upwards": b"../" * 1300 + b"etc",
    "itself": b"link",
    "its directory": b".",
    "the root": b"/",
    "a host's file": b"/etc/passwd",
    "another store path": b"/nix/store/zzz-missing/x",
    "below a file": b"file/x",
    "two lines": b"a\nb",
    "not text": b"\xff\xfe",
}
PLACES = ["", "etc/", "etc/ssl/certs/", "share/", "libexec/deep/"]
ONE, OTHER = "/nix/store/aaa-one", "/nix/store/bbb-other"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_any_target(tmp_path, place, target):
    """In a store path unchanged; at the image's root without an error."""
    for path in (ONE, OTHER):
        directory = tmp_path / path[1:] / place
        directory.mkdir(parents=True)
        (directory / "file").touch()
        for name in (b"link", b"passwd", b"ca-bundle.crt"):
            os.symlink(target, os.fsencode(directory) + b"/" + name)  # noqa: PTH211 - bytes
    storage = MemoryStorage()
    layer = pack([ONE], tmp_path, storage, Uncompressed())
    links = {m.name: m.linkname for m, _ in members(tar_of(storage, layer)) if m.issym()}
    assert os.fsencode(links[f"{ONE[1:]}/{place}link"]) == target
    closure = [ONE, OTHER]
    layer = pack_environment([[ONE], [OTHER]], closure, tmp_path, storage, Uncompressed())
    assert layer.size > 0

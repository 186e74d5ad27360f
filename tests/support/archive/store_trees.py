"""A store made by the tests, and readers of packed layers."""

import gzip
import io
import os
import tarfile
from pathlib import Path

from zstandard import ZstdDecompressor

from nixery.storage import layer_key

TEXT = b"".join(b"%d bottles\n" % number for number in range(1000))
BIG = b"".join(b"%d of many\n" % number for number in range(200_000))  # 2.9 MB, three blocks
LONG = b"x" * 200

# Path below the store → bytes (a file), str (a symlink's target) or None (a directory). Parents are
# made automatically; a name in bin/ is executable.
TREE = {
    b"aaa-tool/bin/tool": b"#!/bin/sh\nexec true\n",
    b"aaa-tool/bin/alias": "tool",
    b"aaa-tool/bin/COPYING": TEXT,
    b"aaa-tool/share/COPYING": TEXT,
    b"aaa-tool/share/LICENSE": TEXT,
    b"aaa-tool/share/empty": None,
    b"aaa-tool/share/nothing-1": b"",
    b"aaa-tool/share/nothing-2": b"",
    b"aaa-tool/share/same-size-1": b"one",
    b"aaa-tool/share/same-size-2": b"two",
    b"aaa-tool/share/big-1": BIG,
    b"aaa-tool/share/big-2": BIG,
    b"aaa-tool/share/caf\xe9": b"Latin-1",
    b"aaa-tool/share/caf\xc3\xa9": b"UTF-8",
    b"aaa-tool/share/caf\xe9" + LONG: b"long, and not UTF-8",
    b"aaa-tool/" + LONG + b"/" + LONG: b"300 bytes and more",
    b"aaa-tool/share/far": "/nix/store/" + "y" * 190,
    b"aaa-tool/share/far-\xe9": os.fsdecode(b"/nix/store/\xe9" + LONG),
    b"aaa-tool/share/dangling": "../nowhere",
    b"bbb-file": b"a store path that is a file\n",
    b"ccc-link": "/nix/store/aaa-tool",
}

# The same with a path of several blocks, whatever their size.
LARGE = TREE | {b"ddd-large": b"".join(b"%d and more\n" % n for n in range(600_000))}  # 10 MB


def make_store(root, tree=TREE):
    """``tree`` as a store below ``root``; made in the order of the mapping."""
    store = Path(root) / "nix/store"
    store.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        path = store / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        match content:
            case None:
                path.mkdir()
            case str():
                path.symlink_to(content)
            case bytes():
                path.write_bytes(content)
                path.chmod(0o755 if "/bin/" in os.fsdecode(name) else 0o644)


def top_level(tree=TREE):
    """The logical store paths of a tree."""
    return sorted({"/nix/store/" + os.fsdecode(name).split("/")[0] for name in tree})


def tar_of(storage, layer):
    return decompress(storage.objects[layer_key(layer.digest)], layer.compression)


def decompress(blob, compression):
    match compression:
        case "gzip":
            return gzip.decompress(blob)
        case "zstd":
            frames = io.BytesIO(blob)
            return ZstdDecompressor().stream_reader(frames, read_across_frames=True).read()
        case "none":
            return blob


def members(data):
    """The archive's entries in order, read by Python; names as bytes."""
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8") as archive:
        found = list(archive)
        contents = [archive.extractfile(member) if member.isreg() else None for member in found]
        return [
            (member, content.read() if content else None)
            for member, content in zip(found, contents, strict=True)
        ]


def read_back(data):
    """The tree that an archive of store paths holds, in the form of TREE, with all directories."""
    tree = {}
    for member, content in members(data):
        name = os.fsencode(member.name).removeprefix(b"nix/store/")
        if member.islnk():
            tree[name] = tree[os.fsencode(member.linkname).removeprefix(b"nix/store/")]
        else:
            tree[name] = member.linkname if member.issym() else content
    return tree


def with_directories(tree):
    """``tree`` with the parents that are only implied."""
    parents = {b"nix": None, b"nix/store": None}
    for name in tree:
        parts = name.split(b"/")
        parents |= {b"/".join(parts[:length]): None for length in range(1, len(parts))}
    return parents | tree

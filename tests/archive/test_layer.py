"""Layers of store paths: complete, and with an error for files that cannot be packed."""

import os
import random
import shutil
import subprocess
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archive.packing import every_kind, packed
from support.archive.store_trees import (
    BIG,
    TREE,
    make_store,
    members,
    read_back,
    tar_of,
    top_level,
    with_directories,
)

from nixery.archive import Gzip, Uncompressed, Workers, pack
from nixery.archive.compress import MIB
from nixery.errors import StoreDamaged
from nixery.oci import Descriptor, Format, canonical_json, digest_of
from nixery.storage import layer_key, put
from nixery.storage.memory import MemoryStorage


@every_kind
def test_everything_is_in_the_archive(store_root, storage, compression):
    layer = pack(top_level(), store_root, storage, compression)
    assert read_back(tar_of(storage, layer)) == with_directories(TREE)


@every_kind
def test_the_layer_describes_the_stored_blob(store_root, storage, compression):
    layer = pack(top_level(), store_root, storage, compression)
    assert layer.compression == compression.kind
    blob = storage.locate(layer.digest)
    assert blob.size == layer.size
    assert digest_of(tar_of(storage, layer)) == layer.diff_id


def test_modes_are_those_of_nix_and_parents_come_first(store_root, storage):
    found = members(tar_of(storage, pack(top_level(), store_root, storage, Gzip())))
    modes = {member.name: oct(member.mode) for member, _ in found}
    assert list(modes)[:4] == ["nix", "nix/store", "nix/store/aaa-tool", "nix/store/aaa-tool/bin"]
    assert (modes["nix"], modes["nix/store"]) == ("0o755", "0o755")
    tool = "nix/store/aaa-tool"
    assert modes[tool] == modes[f"{tool}/bin"] == modes[f"{tool}/bin/tool"] == "0o555"
    assert modes[f"{tool}/share/LICENSE"] == "0o444"
    assert modes[f"{tool}/bin/alias"] == "0o777"


def test_equal_files_of_one_path_are_stored_once(store_root, storage):
    """Not where only one is executable, not empty ones, and not across store paths."""
    make_store(store_root, {b"ddd-other": TREE[b"aaa-tool/share/LICENSE"]})
    layer = pack([*top_level(), "/nix/store/ddd-other"], store_root, storage, Gzip())
    links = {m.name: m.linkname for m, _ in members(tar_of(storage, layer)) if m.islnk()}
    share = "nix/store/aaa-tool/share"
    assert links == {f"{share}/LICENSE": f"{share}/COPYING", f"{share}/big-2": f"{share}/big-1"}


def test_no_paths_make_an_empty_store(tmp_path, storage):
    layer = pack([], tmp_path, storage, Gzip())
    assert [member.name for member, _ in members(tar_of(storage, layer))] == ["nix", "nix/store"]


@pytest.mark.parametrize(
    ("size", "count"),
    [
        pytest.param(MIB - 1536, 2, id="after the content"),
        pytest.param(MIB - 1537, 2, id="after the padding"),
        pytest.param(MIB - 2048, 2, id="between the closing records"),
        pytest.param(MIB - 2560, 1, id="after the closing records"),
        pytest.param(2 * MIB, 3, id="in the content"),
    ],
)
def test_a_block_may_end_anywhere(tmp_path, storage, size, count):
    """Before the content lie three headers, 1536 bytes; behind it 1024 bytes of zeros."""
    content = random.Random(size).randbytes(size)
    make_store(tmp_path, {b"aaa": content})
    with Workers(1) as workers:
        layer = pack(["/nix/store/aaa"], tmp_path, storage, Gzip(), workers)
    assert read_back(tar_of(storage, layer))[b"aaa"] == content
    assert count_gzip_members(storage.objects[layer_key(layer.digest)]) == count


def count_gzip_members(data):
    count = 0
    while data:
        member = zlib.decompressobj(wbits=31)
        member.decompress(data)
        data = member.unused_data
        count += 1
    return count


def test_gnu_tar_unpacks_the_same_tree(store_root, storage, tmp_path):
    layer = pack(top_level(), store_root, storage, Gzip())
    (tmp_path / "layer.tar.gz").write_bytes(storage.objects[layer_key(layer.digest)])
    target = tmp_path / "unpacked"
    target.mkdir()
    done = subprocess.run(
        ["tar", "--extract", "--gzip", "--file", tmp_path / "layer.tar.gz", "-C", target],
        check=True,
        capture_output=True,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    assert done.stderr == b""
    subprocess.run(["diff", "--recursive", "--no-dereference", store_root, target], check=True)
    share = target / "nix/store/aaa-tool/share"
    assert (share / "LICENSE").stat().st_nlink == 2


@pytest.mark.skipif(not shutil.which("umoci"), reason="umoci is not installed")
@pytest.mark.parametrize("compression", [Gzip(), Uncompressed()], ids=lambda it: it.kind)
def test_umoci_unpacks_the_same_tree(store_root, tmp_path, storage, compression):
    """With Go's archive/tar, as all container engines do. Debian's umoci knows no zstd."""
    layer = pack(top_level(), store_root, storage, compression)
    image = tmp_path / "image"
    write_layout(image, layer, storage)
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    bundle = tmp_path / "bundle"
    subprocess.run(
        ["umoci", "unpack", *rootless, "--image", f"{image}:test", bundle],
        check=True,
        capture_output=True,
    )
    subprocess.run(
        ["diff", "--recursive", "--no-dereference", store_root, bundle / "rootfs"], check=True
    )
    share = bundle / "rootfs/nix/store/aaa-tool/share"
    assert (share / "LICENSE").stat().st_nlink == 2
    assert (share / "LICENSE").stat().st_mtime == 1
    assert (share / "empty").is_dir()


def write_layout(directory, layer, storage):
    """An OCI image layout with one image of one layer, tagged ``test``."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        "config": {},
    }
    config_blob = put(storage, canonical_json(config))
    media_type = Format.OCI.value.layers[layer.compression]
    manifest = {
        "schemaVersion": 2,
        "mediaType": Format.OCI.value.manifest,
        "config": Descriptor(
            Format.OCI.value.config, config_blob.digest, config_blob.size
        ).as_json(),
        "layers": [Descriptor(media_type, layer.digest, layer.size).as_json()],
    }
    blob = put(storage, canonical_json(manifest))
    entry = Descriptor(Format.OCI.value.manifest, blob.digest, blob.size).as_json()
    entry["annotations"] = {"org.opencontainers.image.ref.name": "test"}
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)
    for key, data in storage.objects.items():
        (blobs / key.removeprefix("layers/")).write_bytes(data)
    (directory / "index.json").write_bytes(
        canonical_json({"schemaVersion": 2, "manifests": [entry]})
    )
    (directory / "oci-layout").write_bytes(canonical_json({"imageLayoutVersion": "1.0.0"}))


class Meanwhile:
    """A compression that does something to the store when it gets its first block."""

    kind = key = "meanwhile"
    block = MIB

    def __init__(self, action):
        self._action = action

    def compress(self, block):
        if self._action:
            self._action()
            self._action = None
        return bytes(block)


@pytest.mark.parametrize("size", [len(BIG) - 1, len(BIG) + 1, 0])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path, storage, size):
    make_store(tmp_path, {b"aaa": BIG})
    file = tmp_path / "nix/store/aaa"
    change = Meanwhile(lambda: os.truncate(file, size))
    with pytest.raises(StoreDamaged, match=r"/nix/store/aaa (shrank|grew) while it was read"):
        pack(["/nix/store/aaa"], tmp_path, storage, change)
    assert storage.objects == {}


def test_a_file_that_vanishes_while_its_layer_is_packed_is_an_error(tmp_path, storage):
    make_store(tmp_path, {b"aaa/1": BIG, b"aaa/2": b"next"})
    remove = Meanwhile((tmp_path / "nix/store/aaa/2").unlink)
    with pytest.raises(StoreDamaged, match="/nix/store/aaa/2 is not in the store"):
        pack(["/nix/store/aaa"], tmp_path, storage, remove)
    assert storage.objects == {}


def test_a_missing_path_is_an_error_and_nothing_is_stored(store_root, storage):
    with pytest.raises(StoreDamaged, match="zzz-missing is not in the store"):
        pack([*top_level(), "/nix/store/zzz-missing"], store_root, storage, Gzip())
    assert storage.objects == {}


def test_layers_packed_at_once_share_the_workers(store_root):
    """Eight layers and one worker: each advances, and gives the same bytes as alone."""
    expected = packed(store_root)
    with Workers(1) as workers, ThreadPoolExecutor(8) as threads:
        layers = list(threads.map(lambda _: packed(store_root, workers), range(8)))
    assert layers == 8 * [expected]


names = st.binary(min_size=1, max_size=120).filter(
    lambda name: name not in (b".", b"..") and not {0, ord("/")} & set(name) and name[:4] != b".wh."
)

targets = st.binary(min_size=1, max_size=150).filter(lambda target: 0 not in target)


nodes = st.recursive(
    st.one_of(st.binary(max_size=1500), targets.map(os.fsdecode), st.just(None)),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=4),
    max_leaves=12,
)


def flat(tree, prefix=b""):
    for name, node in tree.items():
        if isinstance(node, dict):
            yield from flat(node, prefix + name + b"/")
        else:
            yield prefix + name, node


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(names, nodes, min_size=1, max_size=3))
def test_any_tree_reads_back_the_same(tree):
    tree = dict(flat(tree))
    storage = MemoryStorage()
    with tempfile.TemporaryDirectory() as root:
        make_store(root, tree)
        layer = pack(top_level(tree), Path(root), storage, Gzip())
    assert read_back(tar_of(storage, layer)) == with_directories(tree)

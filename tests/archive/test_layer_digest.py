"""Layers of store paths: the same bytes everywhere."""

import os
import platform
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.archive import golden
from support.archive.packing import every_kind, packed
from support.archive.store_trees import (
    LARGE,
    TREE,
    make_store,
    top_level,
)

from nixery.archive import Workers, hard_links, spool, tree


@every_kind
def test_known_trees_have_known_digests(tmp_path, compression):
    expected = golden.DIGESTS[compression.kind]
    if expected is None:
        pytest.skip(f"nobody has written down yet what {compression.key} gives")
    make_store(tmp_path, LARGE)
    layers = [packed(tmp_path, None, top_level(tree), compression) for tree in golden.TREES]
    assert tuple(layer.diff_id for layer in layers) == golden.DIFF_IDS
    assert tuple(layer.digest for layer in layers) == expected


@pytest.mark.full
@pytest.mark.skipif(platform.machine() != "x86_64", reason="Nehalem is an x86-64")
@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="qemu-user is not installed")
def test_the_model_of_the_processor_does_not_reach_the_digest():
    """One of 2008: without AVX, BMI, and instructions for SHA."""
    done = subprocess.run(
        ["qemu-x86_64", "-cpu", "Nehalem", sys.executable, "-m", golden.__name__],
        cwd=Path(golden.__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    expected = [
        " ".join((compression.key, *golden.DIGESTS[compression.kind]))
        for compression in golden.KINDS
    ]
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize(
    ("module", "bound"),
    [
        (tree, "MAX_NAMES"),
        (spool, "MAX_FIRSTS"),
        (hard_links, "MAX_SIZES"),
        (hard_links, "MAX_INODES"),
    ],
)
def test_what_does_not_fit_into_memory_does_not_reach_the_digest(
    store_root, monkeypatch, module, bound
):
    monkeypatch.setattr(module, bound, 1)
    assert packed(store_root).diff_id == golden.DIFF_IDS[0]


@every_kind
@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_number_of_workers_does_not_reach_the_digest(tmp_path, count, compression):
    make_store(tmp_path, LARGE)
    alone = packed(tmp_path, None, top_level(LARGE), compression)
    with Workers(count) as workers:
        assert packed(tmp_path, workers, top_level(LARGE), compression) == alone


def test_order_and_repetition_of_the_paths_do_not_reach_the_digest(store_root):
    assert packed(store_root, paths=[*reversed(top_level()), "/nix/store/bbb-file"]) == packed(
        store_root
    )


def test_neither_creation_order_nor_umask_reaches_the_digest(store_root, tmp_path):
    shuffled = list(TREE.items())
    random.Random(1).shuffle(shuffled)
    before = os.umask(0o077)
    try:
        make_store(tmp_path / "other", dict(shuffled))
    finally:
        os.umask(before)
    assert packed(tmp_path / "other") == packed(store_root)


def test_neither_modes_times_nor_owners_reach_the_digest(store_root):
    before = packed(store_root)
    for directory, names, files in os.walk(store_root):
        for name in names + files:
            path = Path(directory, name)
            os.utime(path, (5, 5), follow_symlinks=False)
            if os.geteuid() == 0:
                os.chown(path, 1, 1, follow_symlinks=False)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o555 | 0o020)
    assert packed(store_root) == before


def test_hard_links_of_an_optimised_store_do_not_reach_the_digest(store_root):
    """Across store paths too, and where files of one inode lie in one path."""
    make_store(store_root, {b"ddd-other": TREE[b"aaa-tool/share/LICENSE"]})
    paths = [*top_level(), "/nix/store/ddd-other"]
    before = packed(store_root, paths=paths)
    store = store_root / "nix/store"
    for name in ("aaa-tool/share/COPYING", "aaa-tool/share/LICENSE"):
        (store / name).unlink()
        (store / name).hardlink_to(store / "ddd-other")
    (store / "aaa-tool/share/big-2").unlink()
    (store / "aaa-tool/share/big-2").hardlink_to(store / "aaa-tool/share/big-1")
    (store / "aaa-tool/share/nothing-2").unlink()
    (store / "aaa-tool/share/nothing-2").hardlink_to(store / "aaa-tool/share/nothing-1")
    assert packed(store_root, paths=paths) == before

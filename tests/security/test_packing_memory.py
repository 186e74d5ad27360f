"""Packing a package with many files takes no more memory than one with a few."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from nixery.archive import Uncompressed, environment, pack
from nixery.archive.environment import Child
from nixery.archive.standard_entries import DirectoryNode, LinkNode
from nixery.errors import PackingFailed, StorageFull
from nixery.storage.memory import MemoryStorage

merge = partial(environment.merge, read=lambda _: None)

PROGRAM = """
import sys
from contextlib import contextmanager
from pathlib import Path

from nixery.archive import Uncompressed, pack, pack_environment
from nixery.storage import Blob


class Nowhere:
    def write(self, data):
        pass

    def publish(self):
        return Blob("sha256:" + "0" * 64, 0)


class Storage:
    @contextmanager
    def stage(self):
        yield Nowhere()


what, root, *paths = sys.argv[1:]
if what == "paths":
    pack(paths, Path(root), Storage(), Uncompressed(), scratch=Path(root))
else:
    pack_environment([[path] for path in paths], paths, Path(root), Storage(), Uncompressed())
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))
"""
PATH = "/nix/store/many"
FEW, MANY = 12_000, 1_000_000
GROWTH = 5  # MiB; the names alone of all files below, in memory, take twice as many
LINKS = 60_000  # to one inode; file systems take a few more
LONG = "x" * 100


def peak(what, root, *paths):
    """MiB of a separate process that packs them."""
    command = [sys.executable, "-c", PROGRAM, what, root, *paths]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def empty(directory, count):
    """Links are made in a fraction of the time of files."""
    directory.mkdir(parents=True)
    for number in range(count):
        name = os.path.join(directory, f"{LONG}{number}")  # noqa: PTH118 - a million times
        if number % LINKS == 0:
            first = name
            Path(first).touch()
        else:
            os.link(first, name)


def equal(directory, count):
    empty(directory, count)
    for file in directory.iterdir():
        if file.stat().st_size == 0:
            file.write_text("some content")


def distinct(directory, count):
    directory.mkdir(parents=True)
    for number in range(count):
        descriptor = os.open(directory / f"{LONG}{number}", os.O_CREAT | os.O_WRONLY)
        os.write(descriptor, b"%07d" % number)
        os.close(descriptor)


def nested(directory, count):
    """Each directory has as many further names that come after the next one."""
    for _ in range(8):
        empty(directory, count // 8)
        directory /= "a"


def directories(directory, count):
    for number in range(count):
        (directory / f"{LONG}{number}").mkdir(parents=True)


@pytest.fixture
def root(tmp_path):
    yield tmp_path / "root"
    shutil.rmtree(tmp_path / "root")  # pytest would keep millions of files


def growth(root, shape, count):
    """Additional MiB for a path with this many files, compared with a few."""
    shape(root / "nix/store/few", FEW)
    shape(root / "nix/store/many", count)
    few = peak("paths", root, "/nix/store/few")
    return peak("paths", root, "/nix/store/many") - few


@pytest.mark.parametrize(
    ("shape", "count"),
    [(empty, 60_000), (equal, 60_000), (nested, 60_000), (distinct, 30_000)],
)
def test_memory_does_not_grow_with_the_number_of_files(root, shape, count):
    assert growth(root, shape, count) < GROWTH


@pytest.mark.full
@pytest.mark.parametrize(
    ("shape", "count"),
    # To remove a million inodes takes a file system a quarter of an hour.
    [(empty, MANY), (equal, MANY), (nested, MANY), (distinct, 200_000), (directories, 200_000)],
)
def test_nor_with_many_more(root, shape, count):
    assert growth(root, shape, count) < GROWTH


@pytest.mark.full
def test_nor_do_the_links_of_the_root(root):
    """Two packages share a directory, so it is to be merged."""
    paths = ["/nix/store/one", "/nix/store/two"]
    for path in paths:
        empty(root / path[1:] / "share/many", MANY)
    assert peak("environment", root, *paths) < 250


def test_a_full_disk_is_reported_during_packing(root, tmp_path):
    """Where the names of a large directory are kept. No part of the layer remains."""
    empty(root / "nix/store/many", 60_000)
    scratch, storage = tmp_path / "scratch", MemoryStorage()
    scratch.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", scratch]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        with pytest.raises(StorageFull):
            pack([PATH], root, storage, Uncompressed(), scratch=scratch)
    finally:
        subprocess.run(["umount", scratch], check=True)
    assert storage.objects == {}


class Endless:
    """Packages with a directory that never ends; how many of its names were taken."""

    def __init__(self, where, packages):
        self._where = where
        self._packages = packages
        self.taken = 0

    def look(self, path):
        _, package, *inner = path.split(b"/")
        if inner == self._where:
            while True:
                yield Child(b"file%d" % self.taken, None)
                self.taken += 1
        elif package in self._packages:
            name = self._where[len(inner)]
            yield Child(name, path + b"/" + name)

    def merged(self):
        return merge([b"/" + package for package in self._packages], self.look)


def test_a_directory_of_two_packages_without_end_is_one_link(monkeypatch):
    monkeypatch.setattr(environment, "MOST", 100)
    endless = Endless([b"share", b"x"], [b"a", b"b"])
    assert endless.merged()[b"share/x"] == LinkNode(b"/a/share/x")
    assert endless.taken < 110


def test_so_is_a_directory_of_the_root_that_only_one_package_has(monkeypatch):
    monkeypatch.setattr(environment, "MOST_NEAR_ROOT", 100)
    endless = Endless([b"bin"], [b"a"])
    assert endless.merged()[b"bin"] == LinkNode(b"/a/bin")
    assert endless.taken < 110


@pytest.mark.parametrize(
    ("where", "packages"),
    [([], [b"a"]), ([b"bin"], [b"a", b"b"]), ([b"etc"], [b"a"])],
    ids=["the root", "what would be lost of others", "what must be real"],
)
def test_where_no_link_can_be_the_package_is_named(monkeypatch, where, packages):
    monkeypatch.setattr(environment, "MOST_NEAR_ROOT", 100)
    endless = Endless(where, packages)
    with pytest.raises(PackingFailed, match=b"/".join([b"/a", *where]).decode()):
        endless.merged()
    assert endless.taken < 110


def test_long_names_count_more_than_short_ones(monkeypatch):
    """A tree of few entries can be large."""
    monkeypatch.setattr(environment, "MOST_BYTES", 10_000)
    long = b"x" * 200

    def look(path):
        depth = path.count(b"/")
        name = [b"share", b"y"][depth - 1 : depth]
        return [Child(n, path + b"/" + n) for n in name] or [
            Child(b"%d" % number + long, None) for number in range(100)
        ]

    tree = merge([b"/a", b"/b"], look)
    assert tree[b"share"] == DirectoryNode(0o755)
    assert tree[b"share/y"] == LinkNode(b"/a/share/y")


def test_cycles_of_two_lengths_have_an_end_before_paths_are_too_long():
    """Two packages of 900 directories lead around for 200,000 steps, each a longer path."""

    def look(path):
        _, package, *inner = path.split(b"/")
        if not inner:
            return [Child(b"share", path + b"/0")]
        following = (int(inner[0]) + 1) % (449 if package == b"a" else 457)
        return [Child(b"x", b"/%b/%d" % (package, following))]

    tree = merge([b"/a", b"/b"], look)
    assert max(map(len, tree)) < 4096
    assert sum(map(len, tree)) < 10_000_000

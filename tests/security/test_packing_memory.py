"""A package with any number of files takes no more memory to pack than one with a few."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nixery.archive import Uncompressed, pack
from nixery.errors import StorageFull
from nixery.storage.memory import MemoryStorage

PROGRAM = """
import sys
from contextlib import contextmanager
from pathlib import Path

from nixery.archive import Uncompressed, pack
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


root, *paths = sys.argv[1:]
pack(paths, Path(root), Storage(), Uncompressed(), scratch=Path(root))
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))
"""
PATH = "/nix/store/many"
FEW, MANY = 12_000, 1_000_000
GROWTH = 5  # MiB; the names alone of all files below, in memory, take twice as many
LINKS = 60_000  # to one inode; file systems take a few more
LONG = "x" * 100


def peak(root, *paths):
    """MiB of a process of its own that packs them."""
    command = [sys.executable, "-c", PROGRAM, root, *paths]
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
    """MiB that a path with so many files takes more than one with few."""
    shape(root / "nix/store/few", FEW)
    shape(root / "nix/store/many", count)
    few = peak(root, "/nix/store/few")
    return peak(root, "/nix/store/many") - few


@pytest.mark.parametrize(
    ("shape", "count"),
    [(empty, 60_000), (equal, 60_000), (nested, 60_000), (distinct, 30_000)],
)
def test_memory_does_not_grow_with_the_number_of_files(root, shape, count):
    assert growth(root, shape, count) < GROWTH


@pytest.mark.full
@pytest.mark.parametrize("shape", [empty, equal, nested, distinct, directories])
def test_nor_with_a_million(root, shape):
    assert growth(root, shape, MANY) < GROWTH


def test_a_full_disk_is_said_to_be_full(root, tmp_path):
    """Where the names of a large directory wait. Nothing of the layer is left."""
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

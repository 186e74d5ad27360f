"""A full disk, at many fill levels: no false answer, and everything works with room again."""

import os
import subprocess
from dataclasses import dataclass, replace

import pytest
from support import registry as registries
from support.proofs.broken import SwallowsFullDisk
from support.proofs.honesty import visible_lies
from support.proofs.web import restarted

from nixery.storage.filesystem import FilesystemStorage

pytestmark = pytest.mark.anyio

LEVELS = {False: 4, True: 40}
PAGE = 4096
ROOMY = 64 << 20
FILES = 10_000


@dataclass(frozen=True)
class Room:
    """What may still be stored."""

    pages: int
    files: int

    def __sub__(self, other):
        return Room(self.pages - other.pages, self.files - other.files)


class Tmpfs:
    """A separate file system, whose size can be changed while it is used."""

    def __init__(self, root):
        self.root = root

    def __enter__(self):
        self.root.mkdir()
        self._mount("-t", "tmpfs", "-o", f"size={ROOMY},nr_inodes={FILES}", "none")
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.root], check=True)

    def used(self):
        found = os.statvfs(self.root)
        return Room(found.f_blocks - found.f_bfree, found.f_files - found.f_ffree)

    def leave(self, room):
        """Fills it except for this much."""
        used = self.used()
        size, files = (used.pages + room.pages) * PAGE, used.files + room.files
        self._mount("-o", f"remount,size={size},nr_inodes={files}")

    def make_room(self):
        self._mount("-o", f"remount,size={ROOMY},nr_inodes={FILES}")

    def _mount(self, *options):
        subprocess.run(["mount", *options, self.root], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path):
    try:
        with Tmpfs(tmp_path / "disk") as disk:
            yield disk
    except subprocess.CalledProcessError as error:
        pytest.skip(f"nothing can be mounted here: {error.stderr.decode().strip()}")


@pytest.fixture
def registry(disk, tmp_path, draw):
    """Its storage and its state are on that disk. Layers are written in several pieces."""
    registry = registries.Registry(tmp_path)
    registry.directory = disk.root
    registry.limits = replace(registries.LIMITS, layer_budget=2)
    registry.nix.add("big", {"share/big": draw.randbytes(300_000)})
    return registry


def move(registry, directory, storage_class):
    """To an empty directory, without anything that it knows."""
    registry.directory = directory
    registry.storage = storage_class(directory / "storage")
    registry.storage.check()


async def needed(disk, registry, storage_class):
    """The space of a whole pull, and its result."""
    move(registry, disk.root / "whole", storage_class)
    async with restarted(registry) as client:
        assert (await client.pull("git"))[1] == []
        before = disk.used()
        digest, faults = await client.pull("big")
        assert faults == []
    return disk.used() - before, digest


def levels(need, count):
    """Yields this many sizes that are too small: half of them for bytes, half for inodes."""
    half = count // 2
    for number in range(half):
        yield Room(need.pages * number // half, FILES)
        yield Room(ROOMY // PAGE, need.files * number // half)


async def faults_at(room, disk, registry, expected):
    """The faults, and whether the pull was refused: it must be refused or complete."""
    directory, faults = registry.directory, []
    async with restarted(registry) as client:
        stored, _ = await client.pull("git")
        disk.leave(room)
        status = (await client.manifest("big")).status_code
        if status == 200:
            faults += (await client.pull("big"))[1]
        elif status != 507:
            faults.append(f"answered {status}")
        faults += visible_lies(directory / "storage")
        faults += [f"left {path.name}" for path in directory.glob("storage/staging/*")]
        faults += [f"left {path.name}" for path in directory.glob("*/roots/*/*")]
        if await client.pull("git") != (stored, []):
            faults.append("what is stored cannot be pulled")
        disk.make_room()
        faults += [
            f"with room again: {fault}"
            for fault in (await client.pull("big"))[1] or visible_lies(directory / "storage")
        ]
        if (digest := (await client.pull("big"))[0]) != expected:
            faults.append(f"another digest: {digest}")
    return status == 507, [f"{room}: {fault}" for fault in faults]


async def faults_at_all(count, disk, registry, storage_class):
    """Faults, and how often there was no room."""
    need, digest = await needed(disk, registry, storage_class)
    refused, faults = 0, []
    for number, room in enumerate(levels(need, count)):
        move(registry, disk.root / str(number), storage_class)
        was_refused, found = await faults_at(room, disk, registry, digest)
        refused += was_refused
        faults += found
    return refused, faults


async def test_a_full_disk_makes_no_lie(disk, registry, full, record_property):
    refused, faults = await faults_at_all(LEVELS[full], disk, registry, FilesystemStorage)
    record_property("levels", LEVELS[full])
    record_property("refused", refused)
    assert faults == []
    assert refused > LEVELS[full] // 2


async def test_it_notices(disk, registry):
    """Taking a failed write for a short one would publish half a layer."""
    _, faults = await faults_at_all(4, disk, registry, SwallowsFullDisk)
    assert any("torn blob" in fault for fault in faults)

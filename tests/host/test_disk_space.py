"""Disk space for builds: no build begins on an almost full disk."""

import os
from pathlib import Path

import pytest

from nixery.errors import StorageFull
from nixery.host.disk_space import RESERVED_BYTES, RESERVED_FILES, Disk, Room, room_at

pytestmark = pytest.mark.anyio

GIB = 1 << 30


@pytest.mark.parametrize(
    ("free", "size", "is_low"),
    [
        pytest.param(RESERVED_BYTES, 500 * GIB, False, id="large disk, a reserve left"),
        pytest.param(RESERVED_BYTES - 1, 500 * GIB, True, id="large disk, less"),
        pytest.param(500 << 20, 8 * GIB, False, id="small disk, more than a twentieth"),
        pytest.param(400 << 20, 8 * GIB, True, id="small disk, less"),
        pytest.param(0, 0, False, id="no disk at all"),
    ],
)
def test_the_watermark(free, size, is_low):
    assert Room(free, size).is_low == is_low


@pytest.mark.parametrize(
    ("free", "count", "is_low"),
    [
        pytest.param(RESERVED_FILES, 30_000_000, False, id="many files, a reserve left"),
        pytest.param(RESERVED_FILES - 1, 30_000_000, True, id="many files, fewer"),
        pytest.param(600, 10_000, False, id="few files, more than a twentieth"),
        pytest.param(400, 10_000, True, id="few files, fewer"),
        pytest.param(0, 0, False, id="no limit, as on btrfs"),
    ],
)
def test_the_watermark_of_files(free, count, is_low):
    assert Room(50 * GIB, 100 * GIB, free, count).is_low == is_low


@pytest.mark.parametrize(
    ("free", "bytes_to_free"), [(3 * GIB, 0), (2 * GIB, 0), (GIB, GIB), (0, 2 * GIB)]
)
def test_what_must_go_for_the_next_images(free, bytes_to_free):
    assert Room(free, 500 * GIB).bytes_to_free == bytes_to_free


def test_a_directory_that_is_not_there_yet_has_the_room_of_its_parents(tmp_path):
    assert room_at(tmp_path / "not" / "yet").size == room_at(tmp_path).size > 0


def test_a_file_takes_one_of_those_that_are_left(tmp_path, monkeypatch):
    found = os.statvfs(tmp_path)
    told = os.statvfs_result([*found[:5], 1000, 400, 300, *found[8:]])
    monkeypatch.setattr(os, "statvfs", lambda _: told)
    room = room_at(tmp_path)
    assert (room.free_files, room.files) == (300, 1000)
    assert str(room).endswith("and 300 files free")


class Disks:
    """Two of them; a test decides how full they are."""

    def __init__(self):
        self.free = {Path("/storage"): 50 * GIB, Path("/nix/store"): 50 * GIB}
        self.noticed = 0

    def notice(self):
        self.noticed += 1

    def disk(self):
        return Disk(
            list(self.free), on_full=self.notice, look=lambda path: Room(self.free[path], 100 * GIB)
        )


@pytest.fixture
def disks():
    return Disks()


async def test_with_room_everything_goes_on(disks):
    async with disks.disk().with_room():
        pass
    assert not disks.noticed


@pytest.mark.parametrize("path", ["/storage", "/nix/store"])
async def test_either_disk_blocks_builds_until_it_has_space(disks, path):
    disk = disks.disk()
    disks.free[Path(path)] = 1000
    with pytest.raises(StorageFull, match="almost full \\(1000 B free\\)"):
        async with disk.with_room():
            pytest.fail("it was begun")
    assert disks.noticed == 1
    disks.free[Path(path)] = 50 * GIB
    async with disk.with_room():
        pass
    assert disks.noticed == 1


async def test_what_does_not_fit_is_noticed_as_well(disks):
    with pytest.raises(StorageFull, match="no space"):
        async with disks.disk().with_room():
            raise StorageFull("no space")
    assert disks.noticed == 1


async def test_other_failures_are_not(disks):
    with pytest.raises(ValueError):
        async with disks.disk().with_room():
            raise ValueError
    assert not disks.noticed

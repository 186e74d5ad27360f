"""Room for builds: none is begun on a disk that is almost full."""

from pathlib import Path

import pytest

from nixery.disk import RESERVE, Disk, Room, room_at
from nixery.errors import StorageFull

pytestmark = pytest.mark.anyio

GIB = 1 << 30


@pytest.mark.parametrize(
    ("free", "size", "is_low"),
    [
        pytest.param(RESERVE, 500 * GIB, False, id="large disk, a reserve left"),
        pytest.param(RESERVE - 1, 500 * GIB, True, id="large disk, less"),
        pytest.param(500 << 20, 8 * GIB, False, id="small disk, more than a twentieth"),
        pytest.param(400 << 20, 8 * GIB, True, id="small disk, less"),
        pytest.param(0, 0, False, id="no disk at all"),
    ],
)
def test_the_watermark(free, size, is_low):
    assert Room(free, size).is_low == is_low


def test_a_directory_that_is_not_there_yet_has_the_room_of_its_parents(tmp_path):
    assert room_at(tmp_path / "not" / "yet").size == room_at(tmp_path).size > 0


class Disks:
    """Two of them, of which a test says how full they are."""

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
async def test_either_disk_counts_until_it_has_room_again(disks, path):
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

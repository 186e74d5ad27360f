"""A damaged blob on a disk without free inodes is never served."""

import os
import subprocess

import httpx
import pytest
from support.fake_images import FakeImages

from nixery.errors import StorageFull
from nixery.http.app import create_app
from nixery.http.pages import About
from nixery.oci import hexdigits
from nixery.storage import layer_key, put
from nixery.storage.filesystem import FilesystemStorage

pytestmark = pytest.mark.anyio

WRITTEN, DAMAGED = b"what was written", b"what was WRITTEN"


class SmallDisk:
    """A tmpfs of 60 files."""

    def __init__(self, root):
        self.root = root

    def __enter__(self):
        self.root.mkdir()
        options = "size=1m,nr_inodes=60"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", self.root], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.root], check=True)

    def fill(self):
        for number in range(os.statvfs(self.root).f_ffree):
            (self.root / f"filler-{number}").touch()
        with pytest.raises(OSError, match="No space left"):
            (self.root / "one-more").touch()

    def make_room(self):
        for filler in self.root.glob("filler-*"):
            filler.unlink()


@pytest.fixture
def disk(tmp_path):
    with SmallDisk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def digest(disk):
    """Of a blob that is damaged since it was written."""
    storage = FilesystemStorage(disk.root)
    storage.check()
    digest = put(storage, WRITTEN).digest
    (disk.root / layer_key(digest)).write_bytes(DAMAGED)
    return digest


async def answer(disk, digest):
    """Of a server that has just been started."""
    storage, about = FilesystemStorage(disk.root), About(source="https://packages.test/set")
    app = create_app(images=FakeImages({}), storage=storage, about=about)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://registry.test") as client:
        return await client.get(f"/v2/hello/blobs/{digest}")


async def test_quarantine_needs_no_new_file(disk, digest):
    disk.fill()
    assert (await answer(disk, digest)).status_code == 404
    assert not (disk.root / layer_key(digest)).exists()
    assert (disk.root / "quarantine" / hexdigits(digest)).read_bytes() == DAMAGED


async def test_a_file_system_without_free_files_is_full(disk, digest):
    """The directory was removed."""
    (disk.root / "quarantine").rmdir()
    disk.fill()
    for _ in range(2):
        response = await answer(disk, digest)
        assert response.status_code == 507
        assert DAMAGED not in response.content
    with pytest.raises(StorageFull):  # as the builder and `nixery verify` meet it
        FilesystemStorage(disk.root).verify(digest)
    disk.make_room()
    assert (await answer(disk, digest)).status_code == 404

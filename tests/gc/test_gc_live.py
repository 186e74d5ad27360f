"""Collections in a thread while clients pull through HTTP, on a real directory."""

import asyncio
import os
import random

import anyio.to_thread
import httpx
import pytest
from support.registry import Registry
from support.stored import DAY, Stored

from nixery.gc import KeepBytes, collect
from nixery.http.app import create_app
from nixery.http.pages import About
from nixery.last_pulled import PullMarks
from nixery.oci import digest_of
from nixery.storage.filesystem import FilesystemStorage

pytestmark = pytest.mark.anyio

NAMES = ["hello", "git", "git/hello", "shared", "git/shared", "hello/shared"]


@pytest.fixture
def registry(tmp_path):
    registry = Registry(tmp_path)
    registry.storage = FilesystemStorage(tmp_path / "storage")
    registry.clock.sleep = asyncio.sleep  # between checks of a lease, which gc may have removed
    registry.nix.add("shared", {"lib/shared": b"shared" * 1000})
    return registry


def grow_old(directory):
    for file in directory.rglob("*/*"):
        if file.is_file():
            os.utime(file, (file.stat().st_mtime - 3 * DAY,) * 2)


def marks_of_a_new_day(storage):
    """Everything in the storage was made to look old: today's marks are set again."""
    return PullMarks(storage, storage.now, lambda work, *given: work(*given))


async def pull(client, name):
    """As containerd does: HEAD of the tag, then everything by digest; returns the digest.

    None where the first request met the very moment of the removal: see nixery/gc.
    """
    head = await client.head(f"/v2/{name}/manifests/latest")
    digest = head.headers["docker-content-digest"]
    manifest = await client.get(f"/v2/{name}/manifests/{digest}")
    if manifest.status_code == 404:
        return None
    content = manifest.json()
    for blob in (content["config"], *content["layers"]):
        found = await client.get(f"/v2/{name}/blobs/{blob['digest']}")
        if found.status_code == 404:  # without a pause, its mark may have come too late
            return None
        assert digest_of(found.content) == blob["digest"]
    return digest


async def test_pulls_go_on_while_all_that_is_old_goes(registry, tmp_path):
    storage = registry.storage
    chance = random.Random(0)
    marks = []

    def note(digest):
        marks[-1].note(digest)

    async with registry.opened() as answers:
        app = create_app(
            images=answers,
            storage=storage,
            about=About(source="test"),
            on_pull=note,
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            marks.append(marks_of_a_new_day(storage))
            digests = {name: await pull(client, name) for name in NAMES}

            async def pull_some(count):
                for name in chance.choices(NAMES, k=count):
                    digest = await pull(client, name)
                    if digest is None:
                        repeated.append(name)
                        digest = await pull(client, name)
                    assert digest == digests[name]

            freed, repeated = 0, []
            for _ in range(5):
                grow_old(tmp_path / "storage")
                marks.append(marks_of_a_new_day(storage))
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(4):
                        tasks.create_task(pull_some(3))
                    outcome = await anyio.to_thread.run_sync(
                        lambda: collect(storage, KeepBytes(0), sleep=lambda _: None)
                    )
                freed += outcome.total.count
                assert not Stored(storage).complaints()
            assert freed
            assert len(repeated) <= 5

"""Collections and checks on real storages: the bucket servers, and a directory."""

import pytest
from support.stored import DAY, Stored

from nixery.gc import KeepBytes, OlderThan, collect
from nixery.oci import digest_of
from nixery.storage import layer_key
from nixery.storage.filesystem import FilesystemStorage
from nixery.verify import verify


@pytest.fixture(params=["filesystem", "gcs", "s3"])
def storage(request, tmp_path):
    if request.param == "filesystem":
        return FilesystemStorage(tmp_path / "storage")
    return request.getfixturevalue(f"{request.param}_storage")


@pytest.fixture
def later(storage, monkeypatch):
    """Days pass, by the store's clock."""
    now, passed = storage.now, [0.0]
    monkeypatch.setattr(storage, "now", lambda: now() + passed[0])

    def forward(seconds):
        passed[0] += seconds

    return forward


def tick(storage):
    """Waits until new objects have a later time: S3 tells times in whole seconds.

    In production a day passes between writing and collecting; a fast test must not depend on it.
    """
    first = storage.write("tables/units/tick", b"1").modified
    while (seen := storage.write("tables/units/tick", b"1")).modified == first:
        pass
    storage.delete(seen)


def run(storage, policy, **options):
    return collect(storage, policy, sleep=lambda _: None, **options)


def test_images_go_and_nothing_is_left(storage, later):
    stored = Stored(storage)
    stored.pull(stored.image("git", b"libc", b"git"))
    assert not run(storage, KeepBytes(0)).total.count
    later(3 * DAY)
    outcome = run(storage, KeepBytes(0))
    assert outcome.total == outcome.before
    assert not stored.names()


def test_reused_objects_stay(storage, later):
    stored = Stored(storage)
    stored.image("git", b"libc", b"git")
    tick(storage)
    later(3 * DAY)
    made = []
    # With the manifests gone, a server makes the image again before its layers go.
    collect(
        storage, KeepBytes(0), sleep=lambda _: made.append(stored.image("git", b"libc", b"git"))
    )
    assert stored.is_there(made[0])
    assert not stored.complaints()


def test_images_of_a_go_server_stay(storage, later):
    stored = Stored(storage)
    theirs = [stored.go_image(b"one"), stored.go_image(b"other", entry=False)]
    before = stored.names()
    later(400 * DAY)
    assert not run(storage, OlderThan(DAY)).total.count
    assert stored.names() == before
    assert all(storage.stat(layer_key(digest)) for digest in theirs)


def test_every_blob_is_read(storage):
    stored = Stored(storage)
    stored.image("git", b"libc" * 1_000_000, b"git")
    assert verify(storage).is_well
    storage.write(layer_key(digest_of(b"git")), b"gat")
    assert verify(storage).damaged == (digest_of(b"git"),)
    assert verify(storage).missing == (digest_of(b"git"),)

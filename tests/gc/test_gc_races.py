"""Builds and pulls that fall into a collection, at every moment of it, and the other way round."""

import pytest
from support.stored import DAY, Stored

from nixery.gc import KeepBytes, collect
from nixery.oci import digest_of
from nixery.storage import layer_key
from nixery.storage.memory import MemoryStorage

OPERATIONS = ("list", "read", "stat", "delete", "write", "touch", "now")
MOMENTS = range(60)
"""More than either side has; those behind its end change nothing."""


class Interrupted(MemoryStorage):
    """Runs something else before operation number ``moment``."""

    def __init__(self, clock):
        super().__init__(clock)
        self.moment = None
        self.happens = None
        self.happened = False
        self.inside = False


def interrupted(name):
    def operation(self, *arguments):
        if self.moment is not None and not self.inside:
            self.moment -= 1
            if self.moment < 0 and not self.happened:
                self.inside = self.happened = True
                self.happens()
                self.inside = False
        return getattr(MemoryStorage, name)(self, *arguments)

    return operation


for name in OPERATIONS:
    setattr(Interrupted, name, interrupted(name))


@pytest.fixture(autouse=True)
def in_order(monkeypatch):
    """Objects are read one after the other, so that every moment is the same in each run."""
    monkeypatch.setattr("nixery.gc.survey.READ_THREADS", 1)


@pytest.fixture
def storage(clock):
    return Interrupted(clock)


@pytest.fixture
def stored(storage, clock):
    """Two images, both old, that share a layer."""
    stored = Stored(storage)
    stored.image("git", b"libc", b"git")
    stored.image("htop", b"libc", b"htop")
    clock.forward(3 * DAY)
    return stored


def run(storage):
    return collect(storage, KeepBytes(0), sleep=lambda _: None)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    "layers",
    [
        pytest.param([b"libc", b"git"], id="the same image"),
        pytest.param([b"libc", b"new"], id="an image that shares a layer"),
    ],
)
def test_a_build_within_a_collection(storage, stored, moment, layers):
    storage.moment, made = moment, []
    storage.happens = lambda: made.append(stored.image("git", *layers))
    run(storage)
    storage.moment = None
    assert not stored.complaints()
    if made:
        assert stored.is_there(made[0])
        assert storage.stat(f"plans/{made[0].outputs_key}")
    assert stored.is_there(stored.image("git", *layers))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_collection_within_a_build(storage, stored, moment):
    storage.moment, storage.happens = moment, lambda: run(storage)
    image = stored.image("git", b"libc", b"git")
    storage.moment = None
    assert stored.is_there(image)
    assert not stored.complaints()
    run(storage)
    assert stored.is_there(image)


@pytest.mark.parametrize("moment", MOMENTS)
def test_two_collections(storage, stored, moment):
    storage.moment, storage.happens = moment, lambda: run(storage)
    run(storage)
    assert stored.names() == set()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_pull_within_a_collection_finds_all_layers(storage, stored, clock, moment):
    """An image that was served from the caches exists until its last layer is fetched."""
    git = next(stored.build("git", [b"libc", b"git"]))
    clock.forward(3 * DAY)
    served = []

    def pull():
        # As the server does: it remembers entries and does not read them again, but checks the
        # blobs.
        if stored.is_there(git):
            stored.pull(git)
            served.append(git)

    storage.moment, storage.happens = moment, pull
    run(storage)
    storage.moment = None
    if served:
        manifests = {made.digest for made in git.manifests.values()}
        promised = {blob.digest for blob in git.blobs} - manifests
        assert all(storage.stat(layer_key(digest)) for digest in promised)


def test_a_pull_before_its_image_goes_keeps_the_image(storage, stored, clock):
    git = next(stored.build("git", [b"libc", b"git"]))
    clock.forward(3 * DAY)
    delete = storage.delete

    def pull_first(stat):
        storage.delete = delete
        stored.pull(git)
        return delete(stat)

    storage.delete = pull_first
    outcome = run(storage)
    assert outcome.spared == 1
    assert stored.is_there(git)


def test_a_mark_that_comes_late_keeps_the_layers(storage, stored, clock):
    image = stored.image("other", b"other")
    clock.forward(3 * DAY)
    outcome = collect(storage, KeepBytes(0), sleep=lambda _: stored.pull(image))
    assert outcome.spared == 1
    assert len(outcome.images) == 2
    assert storage.stat(layer_key(digest_of(b"other")))

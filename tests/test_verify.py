"""Every blob is compared with its digest; faults are reported, and damaged blobs set aside."""

import pytest
from support.stored import Stored

from nixery import verify as verifying
from nixery.errors import StorageUnavailable
from nixery.oci import digest_of, hexdigits
from nixery.storage import Stat, layer_key
from nixery.storage.filesystem import FilesystemStorage
from nixery.verify import verify

LIBC = digest_of(b"libc")


@pytest.fixture
def stored(storage):
    return Stored(storage)


@pytest.fixture
def git(stored):
    return stored.image("git", b"libc", b"git")


def test_a_sound_storage(storage, git):
    findings = verify(storage)
    assert findings.is_well
    assert findings.blobs == len(git.blobs)
    assert findings.size == sum(blob.size for blob in git.blobs)
    assert findings.unreferenced == ()


@pytest.mark.parametrize(
    "data", [pytest.param(b"lobc", id="flipped"), pytest.param(b"", id="emptied"), b"libc\0", b"l"]
)
@pytest.mark.usefixtures("git")
def test_a_damaged_blob_goes_into_quarantine(storage, data):
    storage.objects[layer_key(LIBC)] = data
    findings = verify(storage)
    assert findings.damaged == (LIBC,)
    assert not findings.is_well
    assert storage.stat(layer_key(LIBC)) is None
    assert storage.objects[f"quarantine/{hexdigits(LIBC)}"] == data


@pytest.mark.usefixtures("git")
def test_a_missing_blob_is_reported(storage):
    del storage.objects[layer_key(LIBC)]
    findings = verify(storage)
    assert (findings.missing, findings.damaged) == ((LIBC,), ())
    assert not findings.is_well


def test_what_heals_is_well_again(storage, stored, git):
    storage.objects[layer_key(LIBC)] = b"lobc"
    verify(storage)
    assert stored.image("git", b"libc", b"git") == git
    assert verify(storage).is_well


@pytest.mark.usefixtures("git")
def test_an_empty_blob_is_valid(storage):
    with storage.stage() as staging:
        staging.write(b"\x1f\x8bsome layer")
        blob = staging.publish()
    findings = verify(storage)
    assert findings.unreferenced == (blob.digest,)
    assert findings.is_well


def test_what_a_go_server_made_is_checked(storage, stored):
    stored.go_image(b"libc")
    assert verify(storage).is_well
    del storage.objects[layer_key(LIBC)]
    assert verify(storage).missing == (LIBC,)


@pytest.mark.usefixtures("git")
def test_a_blob_that_is_replaced_during_the_check_is_left_alone(storage, monkeypatch):
    """It was damaged when it was read, and made again before that was known."""
    pieces = storage.pieces

    def replaced(stat: Stat):
        if stat.key == layer_key(LIBC):
            storage._clock.forward(1)
            storage.write(stat.key, b"libc")
            return iter([b"lobc"])
        return pieces(stat)

    monkeypatch.setattr(storage, "pieces", replaced)
    assert verify(storage).is_well
    assert storage.stat(layer_key(LIBC))


@pytest.mark.usefixtures("git")
def test_an_image_that_gc_removes_during_the_check_is_not_missing(storage, monkeypatch):
    pieces = storage.pieces

    def vanishing(stat: Stat):
        for other in list(storage.list("manifests/")) + list(storage.list("layers/")):
            storage.delete(other)
        return pieces(stat)

    monkeypatch.setattr(storage, "pieces", vanishing)
    assert verify(storage).is_well


@pytest.mark.usefixtures("git")
def test_a_bucket_that_does_not_answer_is_not_damage(storage, monkeypatch):
    def silent(_):
        raise StorageUnavailable("no answer")

    monkeypatch.setattr(storage, "pieces", silent)
    with pytest.raises(StorageUnavailable):
        verify(storage)
    assert not list(storage.list("quarantine/"))


def test_a_file_that_cannot_be_read_is_damaged(tmp_path, monkeypatch):
    storage = FilesystemStorage(tmp_path)
    Stored(storage).image("git", b"libc", b"git")
    pieces = storage.pieces

    def broken(stat):
        if stat.key == layer_key(LIBC):
            raise OSError(5, "Input/output error")
        return pieces(stat)

    monkeypatch.setattr(storage, "pieces", broken)
    assert verify(storage).damaged == (LIBC,)


@pytest.mark.usefixtures("git")
def test_progress_adds_up_to_all_bytes(storage):
    announced, told = [], []

    def progress(size):
        announced.append(size)
        return told.append

    findings = verify(storage, progress)
    assert announced == [sum(told)] == [findings.size]


@pytest.mark.usefixtures("git")
def test_what_people_read(storage):
    storage.objects[layer_key(LIBC)] = b"lobc"
    del storage.objects[layer_key(digest_of(b"git"))]
    text = verifying.text(verify(storage))
    assert f"damaged, moved to quarantine: {LIBC}" in text
    assert f"missing: {digest_of(b'git')}" in text
    assert text.splitlines()[-1].endswith("1 damaged, 1 missing, 0 not needed by any image")

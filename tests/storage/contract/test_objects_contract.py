"""The contract of every storage for small objects, and its listings."""

import pytest

from nixery.errors import StorageUnavailable
from nixery.storage import LARGEST_READ, Condition, layer_key, put


def test_small_objects_are_replaced_whole(storage):
    assert storage.read("builds/key") is None
    storage.write("builds/key", b"a long first value")
    storage.write("builds/key", b"second")
    assert storage.read("builds/key").data == b"second"


def test_a_usable_storage_passes_its_check(storage):
    storage.check()


def test_stat_of_an_object(storage):
    before = storage.now()
    written = storage.write("builds/key", b"value")
    (listed,) = storage.list("builds/")
    looked_at = storage.stat("builds/key")
    assert storage.read("builds/key").stat == looked_at
    assert looked_at.version == written.version
    for told in (written, looked_at, listed):
        assert (told.key, told.size) == ("builds/key", 5)
        # Clocks of file systems tick coarsely, and those of buckets in seconds.
        assert before - 2 <= told.modified <= storage.now() + 2
    assert storage.stat("builds/none") is None


def test_other_content_is_another_version(storage):
    first = storage.write("builds/key", b"value")
    second = storage.write("builds/key", b"other")
    assert first.version != second.version


def test_writing_only_where_nothing_is(storage):
    """Of all callers one succeeds: this is how leases are taken."""
    assert storage.write("leases/key", b"mine", Condition.ABSENT)
    assert storage.write("leases/key", b"yours", Condition.ABSENT) is None
    assert storage.read("leases/key").data == b"mine"


def test_writing_only_over_what_was_seen(storage):
    seen = storage.write("leases/key", b"mine")
    taken = storage.write("leases/key", b"yours", seen)
    assert taken is not None
    assert storage.write("leases/key", b"mine again", seen) is None
    assert storage.read("leases/key").data == b"yours"


def test_what_was_listed_can_be_a_condition(storage):
    """Gc knows objects from lists; they were not written since, so both calls succeed."""
    storage.write("builds/key", b"value")
    (listed,) = storage.list("builds/")
    assert storage.write("builds/key", b"other", listed)
    (listed,) = storage.list("builds/")
    assert storage.delete(listed)
    assert keys(storage.list("builds/")) == []


def test_conditional_writes_need_an_existing_object(storage):
    seen = storage.write("leases/key", b"mine")
    assert storage.delete(seen)
    assert storage.write("leases/key", b"mine", seen) is None
    assert storage.stat("leases/key") is None


def test_listing_objects(storage):
    storage.write("builds/a", b"1")
    storage.write("tables/units/b", b"2")
    storage.write("tables/popularity/c", b"3")
    assert keys(storage.list("builds/")) == ["builds/a"]
    assert keys(storage.list("tables/")) == ["tables/popularity/c", "tables/units/b"]
    assert keys(storage.list("plans/")) == []


def test_rewritten_objects_are_not_deleted(storage):
    """The garbage collector must not remove an object that was just written again."""
    seen = storage.write("builds/key", b"old")
    storage.write("builds/key", b"new")
    assert not storage.delete(seen)
    assert storage.read("builds/key").data == b"new"
    assert storage.delete(storage.stat("builds/key"))
    assert storage.stat("builds/key") is None


def test_touching_a_missing_object(storage):
    seen = storage.write("builds/key", b"value")
    storage.delete(seen)
    assert storage.touch(seen) is None
    assert storage.stat("builds/key") is None


def test_the_clock_goes_on(storage):
    assert storage.now() <= storage.now()


def test_an_object_of_any_size_is_read_in_pieces(storage):
    data = bytes(range(256)) * (5 << 12)  # 5 MiB: more than one piece of each
    key = layer_key(put(storage, data).digest)
    for stat in (storage.stat(key), *storage.list("layers/")):
        assert b"".join(storage.pieces(stat)) == data


def test_a_missing_object_has_no_pieces(storage):
    stat = storage.write("builds/key", b"value")
    storage.delete(stat)
    with pytest.raises((StorageUnavailable, OSError)):
        list(storage.pieces(stat))


def keys(found):
    return sorted(stat.key for stat in found)


def test_an_object_that_is_far_too_large_is_not_taken_into_memory(storage):
    """It can be seen, and so replaced by what belongs there."""
    with storage.stage() as staging:
        for _ in range(LARGEST_READ >> 20):
            staging.write(bytes(1 << 20))
        staging.write(b"!")
        blob = staging.publish()
    found = storage.read(layer_key(blob.digest))
    assert (found.data, found.stat.size) == (b"", LARGEST_READ + 1)
    assert found.stat.version == storage.stat(layer_key(blob.digest)).version

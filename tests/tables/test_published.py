"""The current table, and that replicas agree on it."""

import pytest

from nixery.layers.tables import version
from nixery.tables.published import Pointer, Published

OLD, NEW, OTHER = b'{"glibc":1}', b'{"glibc":2}', b'{"glibc":3}'


@pytest.fixture
def published(storage):
    return Published(storage)


def publish(published, data):
    return published.publish("popularity", data, published.current("popularity"))


def test_nothing_is_published_at_first(published):
    assert published.current("popularity") == Pointer(None, None)


def test_a_table_is_current_until_the_next(published, storage):
    publish(published, OLD)
    publish(published, NEW)
    current = Published(storage).current("popularity")
    assert current.version == version(NEW)
    assert published.read("popularity", current.version) == NEW
    assert published.read("popularity", version(OLD)) == OLD  # a plan may name it


def test_kinds_are_apart(published):
    publish(published, OLD)
    assert published.current("units").version is None


@pytest.mark.parametrize("before", [None, OLD])
def test_of_two_that_publish_at_once_one_wins(published, storage, before):
    if before:
        publish(published, before)
    replica = Published(storage)
    seen = [one.current("popularity") for one in (published, replica)]
    first = published.publish("popularity", NEW, seen[0])
    second = replica.publish("popularity", OTHER, seen[1])
    assert first.version == second.version == version(NEW)
    assert replica.current("popularity") == first


def test_the_current_table_is_not_written_again(published, storage):
    publish(published, OLD)
    before = {stat.key: stat for stat in storage.list("tables/")}
    publish(published, OLD)
    assert {stat.key: stat for stat in storage.list("tables/")} == before


def test_a_restored_table_is_new_to_gc(published, storage, clock):
    publish(published, OLD)
    publish(published, NEW)
    clock.forward(86_400)
    publish(published, OLD)
    assert storage.stat(f"tables/popularity/{version(OLD)}").modified == clock.now


@pytest.mark.parametrize("damage", [None, b'{"glibc":9}'])
def test_a_lost_or_damaged_table_is_none_until_it_is_published(published, storage, damage):
    key = f"tables/popularity/{publish(published, OLD).version}"
    del storage.objects[key]
    if damage:
        storage.objects[key] = damage
    assert published.read("popularity", version(OLD)) is None
    publish(published, OLD)
    assert published.read("popularity", version(OLD)) == OLD


@pytest.mark.parametrize(
    "spoilt", [b"", b"{", b"[]", b"{}", b'{"version":1}', b'{"version":"../../layers/0"}']
)
def test_a_spoilt_pointer_names_nothing_and_is_replaced(published, storage, spoilt):
    storage.objects["tables/popularity/current"] = spoilt
    assert published.current("popularity").version is None
    publish(published, NEW)
    assert published.current("popularity").version == version(NEW)

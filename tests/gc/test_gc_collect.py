"""A storage before and after."""

import pytest
from support.stored import DAY, HOUR

from nixery.cache.manifests import encode
from nixery.gc import KeepBytes, OlderThan, collect
from nixery.last_pulled import mark_key
from nixery.oci import Format, canonical_json, digest_of
from nixery.storage import layer_key, put
from nixery.tables.published import Published

NOTHING = KeepBytes(0)


def run(storage, policy=NOTHING, **options):
    return collect(storage, policy, sleep=lambda _: None, **options)


def test_an_empty_storage_is_collected(storage):
    assert run(storage).total.count == 0


def test_an_image_goes_with_all_that_is_kept_of_it(storage, stored, clock):
    stored.pull(stored.image("git", b"libc", b"git"))
    clock.forward(2 * DAY)
    outcome = run(storage)
    assert stored.names() == set()
    assert outcome.total == outcome.before
    assert outcome.left.size == 0
    assert len(outcome.images) == 1


def test_nothing_goes_on_the_day_it_was_stored(storage, stored, clock):
    stored.image("git", b"libc", b"git")
    clock.forward(DAY - 1)
    before = stored.names()
    assert run(storage).total.count == 0
    assert stored.names() == before


def test_least_recently_pulled_first(storage, stored, clock):
    git, htop = stored.image("git", b"libc", b"git"), stored.image("htop", b"libc", b"htop")
    clock.forward(30 * DAY)
    stored.pull(git)
    clock.forward(2 * DAY)
    size = sum(stat.size for key in stored.names() if (stat := storage.stat(key)))
    outcome = run(storage, KeepBytes(size - 1))
    assert stored.is_there(git)
    assert not stored.is_there(htop)
    assert [gone.manifests for gone in outcome.images] == [
        tuple(sorted(made.digest for made in htop.manifests.values()))
    ]


def test_pulling_by_either_format_counts(storage, stored, clock):
    git = stored.image("git", b"git")
    clock.forward(30 * DAY)
    storage.write(mark_key(git.manifests[Format.DOCKER].digest), b"")
    clock.forward(2 * DAY)
    run(storage, OlderThan(20 * DAY))
    assert stored.is_there(git)


def test_what_was_not_pulled_for_long_goes(storage, stored, clock):
    old = stored.image("old", b"old")
    clock.forward(10 * DAY)
    young = stored.image("young", b"young")
    clock.forward(2 * DAY)
    run(storage, OlderThan(5 * DAY))
    assert (stored.is_there(old), stored.is_there(young)) == (False, True)


def test_what_was_pulled_today_stays(storage, stored, clock):
    """Its mark may belong to a pull in progress."""
    git = stored.image("git", b"git")
    clock.forward(30 * DAY)  # noon
    stored.pull(git)
    clock.forward(12 * HOUR)  # midnight
    assert not run(storage).images
    clock.forward(HOUR)
    assert run(storage).images


def test_shared_layers_stay_for_the_others(storage, stored, clock):
    stored.image("git", b"libc", b"git")
    clock.forward(2 * DAY)
    htop = stored.image("htop", b"libc", b"htop")
    run(storage)
    assert stored.is_there(htop)
    assert not stored.complaints()
    layers = [key for key in stored.names() if key.startswith("builds/")]
    assert len(layers) == 2


def test_a_layer_that_was_used_again_is_new(storage, stored, clock):
    """A build that did not end yet has touched it."""
    for _ in stored.build("git", [b"libc"]):
        pass
    clock.forward(2 * DAY)
    half = stored.build("htop", [b"libc", b"htop"])
    next(half)  # everything but the second entry
    for stat in list(storage.list("manifests/")):
        storage.delete(stat)
    run(storage)
    assert {key.split("/")[0] for key in stored.names()} >= {"layers", "builds", "plans"}
    assert not stored.complaints()


def test_a_manifest_without_an_entry_is_an_image(storage, stored, clock):
    """It was served once, and is requested by digest."""
    git = stored.image("git", b"git")
    for stat in list(storage.list("manifests/")):
        storage.delete(stat)
    clock.forward(2 * DAY)
    stored.pull(git)
    run(storage)
    # The other format was not pulled; nothing links the two formats of an image.
    digest = git.manifests[Format.OCI].digest
    assert storage.stat(layer_key(digest))
    assert not stored.complaints()
    clock.forward(2 * DAY)
    run(storage)
    assert stored.names() == set()


def test_a_dry_run_reports_the_same_and_writes_nothing(storage, stored, clock):
    stored.image("git", b"libc", b"git")
    storage.write("staging/left", b"half")
    clock.forward(2 * DAY)
    before = {key: storage.stat(key) for key in stored.names()}
    foreseen = run(storage, dry_run=True)
    assert {key: storage.stat(key) for key in stored.names()} == before
    done = run(storage)
    assert (foreseen.freed, foreseen.images) == (done.freed, done.images)


@pytest.mark.parametrize(
    ("key", "age"),
    [
        pytest.param("staging/0", DAY, id="staging"),
        pytest.param("leases/0", DAY, id="leases"),
        pytest.param("quarantine/" + "0" * 64, 7 * DAY, id="quarantine"),
        pytest.param("pulled/" + "0" * 64, DAY + HOUR, id="marks of nothing"),
        pytest.param("plans/0", DAY, id="plans of nothing"),
        pytest.param("builds/" + "0" * 64, DAY, id="builds that cannot be read"),
        pytest.param("manifests/" + "0" * 64, DAY, id="manifests that cannot be read"),
        pytest.param("layers/" + "0" * 64, DAY, id="blobs of nothing"),
    ],
)
def test_leftovers_go_when_they_are_old(storage, clock, key, age):
    storage.write(key, b"x")
    clock.forward(age / 2)
    run(storage, KeepBytes(1000))
    assert storage.stat(key)
    clock.forward(age / 2 + 1)
    run(storage, KeepBytes(1000))
    assert not storage.stat(key)


def test_tables_stay_while_a_plan_refers_to_them_or_they_are_the_newest(storage, stored, clock):
    for version in ("used", "unused", "newest"):
        storage.write(f"tables/units/{version}", b"{}")
        clock.forward(1)
    storage.write("tables/popularity/only", b"{}")
    clock.forward(DAY - 10)
    git = stored.image("git", b"git", tables={"units": "used"})

    def tables():
        return {stat.key.removeprefix("tables/") for stat in storage.list("tables/")}

    run(storage)
    assert len(tables()) == 4  # a build may have begun with what was the newest a day ago
    clock.forward(20)
    run(storage)
    assert tables() == {"units/used", "units/newest", "popularity/only"}
    clock.forward(2 * DAY)
    run(storage)
    assert not stored.is_there(git)
    run(storage)
    assert tables() == {"units/newest", "popularity/only"}


def test_the_current_table_stays_even_if_it_is_not_the_newest(storage, clock):
    """An operator restored an older table; another kind belongs to a newer version."""

    def publish(kind, data):
        published = Published(storage)
        clock.forward(1)
        return published.publish(kind, data, published.current(kind)).version

    first, second = publish("units", b"1"), publish("units", b"2")
    publish("units", b"1")
    publish("unknown", b"3")
    before = {stat.key for stat in storage.list("tables/")}
    clock.forward(DAY - 10)
    run(storage)
    assert {stat.key for stat in storage.list("tables/")} == before
    clock.forward(3 * DAY)
    run(storage)
    assert {stat.key for stat in storage.list("tables/")} == before - {f"tables/units/{second}"}
    assert Published(storage).read("units", first) == b"1"


def test_request_records_are_counted_and_stay(storage, clock):
    """The learner limits their number."""
    storage.write("asked/x", b"12345")
    clock.forward(90 * DAY)
    assert run(storage).left.size == 5


def test_an_entry_whose_layer_is_gone_goes(storage, stored, clock):
    stored.image("git", b"git")
    clock.forward(2 * DAY)
    stored.image("git", b"git")  # pulled again: all but the entry in builds/ is new
    layer = storage.stat(layer_key(put(storage, b"git").digest))
    storage.delete(layer)
    run(storage)
    assert not list(storage.list("builds/"))


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("entry", [True, False], ids=["in manifests/", "only by digest"])
def test_images_of_a_go_server_stay(storage, stored, clock, entry, index):
    """However old they are, because their digests cannot be reproduced."""
    digest = stored.go_image(b"its layer", b"shared", entry=entry)
    stored.image("git", b"shared", b"git")
    if index:
        put(storage, b'{"schemaVersion":2,"manifests":[{"digest":"%s"}]}' % digest.encode())
    theirs = digest, put(storage, b"its layer").digest, put(storage, b"shared").digest
    clock.forward(400 * DAY)
    outcome = run(storage)
    assert all(storage.stat(layer_key(found)) for found in theirs)
    assert not storage.stat(layer_key(digest_of(b"git")))
    assert len(outcome.images) == 1
    assert not stored.complaints()


def test_layers_that_a_go_server_would_use_again_stay(storage, clock):
    """It hands out what builds/ names without looking."""
    layer = put(storage, b"its layer").digest
    key = "builds/" + "1" * 40
    storage.write(key, canonical_json({"size": 9, "digest": layer, "TarHash": layer}))
    clock.forward(400 * DAY)
    run(storage)
    assert storage.stat(layer_key(layer))
    assert storage.stat(key)


def test_unknown_objects_are_left_alone(storage, clock):
    storage.write("layers/lost+found", b"x")
    clock.forward(400 * DAY)
    run(storage)
    assert storage.stat("layers/lost+found")


@pytest.mark.parametrize("survives", range(16))
def test_a_crash_at_any_moment_leaves_no_dangling_references(storage, stored, clock, survives):
    """The next run finishes the removal."""
    git, htop = stored.image("git", b"libc", b"git"), stored.image("htop", b"libc", b"htop")
    clock.forward(2 * DAY)
    stays = stored.image("hello", b"libc", b"hello")
    delete, count = storage.delete, iter(range(survives))

    def crash(stat):
        if next(count, None) is None:
            raise KeyboardInterrupt
        return delete(stat)

    storage.delete = crash
    with pytest.raises(KeyboardInterrupt):
        run(storage)
    storage.delete = delete
    assert not stored.complaints()
    run(storage)
    assert not stored.complaints()
    expected = {layer_key(blob.digest) for blob in stays.blobs}
    assert {key for key in stored.names() if key.startswith("layers/")} == expected
    assert not any(map(stored.is_there, (git, htop)))


def test_the_entry_of_a_newer_version_does_not_cost_its_image(storage, stored, clock):
    """The record is removed, because readers treat it as a miss; the manifest still exists."""
    git = stored.image("git", b"git")
    for stat in list(storage.list("manifests/")):
        storage.write(stat.key, b"\x00" + encode(git))
    clock.forward(2 * DAY)
    run(storage, OlderThan(30 * DAY))
    assert stored.is_there(git)

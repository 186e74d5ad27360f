"""The decision what to remove: pure, tested by properties over arbitrary storages."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nixery.gc.plan import KeepBytes, OlderThan, last_used, plan, stays_until
from nixery.gc.removals import GRACE_PERIOD
from nixery.gc.survey import Build, StoredImage, Survey
from nixery.oci import Digest
from nixery.storage import Stat, layer_key

DAY = 86_400.0
NOW = 20_000 * DAY + DAY / 2
AGES = st.sampled_from([0, 0.4, 0.6, 0.99, 1, 1.01, 1.6, 2, 7, 30, 31, 400]).map(DAY.__mul__)
few = settings(max_examples=40)
"""Generating a storage takes thirty draws, so the properties share them."""


def digest(number):
    return Digest(f"sha256:{number:064x}")


@st.composite
def surveys(draw):
    """Images over a few blobs that they share, with entries, marks, builds and plans."""

    def stat(key, largest=1000):
        return Stat(key, draw(st.integers(1, largest)), "1", NOW - draw(AGES))

    numbers = range(draw(st.integers(1, 8)))
    blobs = {digest(n): stat(layer_key(digest(n))) for n in numbers if draw(st.integers(0, 9))}
    images = []
    for number in range(draw(st.integers(0, 6))):
        manifests = [digest(1000 + 10 * number + n) for n in range(draw(st.integers(1, 2)))]
        blobs |= {m: stat(layer_key(m)) for m in manifests}
        layers = draw(st.frozensets(st.sampled_from(numbers)))
        entries = tuple(stat(f"manifests/{number:062x}{n:02x}") for n in range(2))
        images.append(
            StoredImage(
                frozenset(manifests),
                frozenset([*manifests, *map(digest, layers)]),
                entries[: draw(st.integers(0, 2))],
                frozenset([f"plans/{number}"]),
            )
        )
    marked = [m for image in images for m in image.manifests if draw(st.booleans())]
    builds = [Build(stat(f"builds/{n}"), digest(n)) for n in numbers]
    marks = {m: stat(f"pulled/{m}") for m in marked}
    plans = tuple(stat(f"plans/{n}") for n in range(len(images) + 1))
    entries = [entry for image in images for entry in image.entries]
    everything = [
        *blobs.values(), *entries, *(build.stat for build in builds), *marks.values(), *plans
    ]  # fmt: skip
    return Survey(
        now=NOW,
        size=sum(found.size for found in everything),
        count=len(everything),
        images=tuple(images),
        promised=frozenset(),
        foreign=frozenset(map(digest, draw(st.frozensets(st.sampled_from(numbers), max_size=2)))),
        unreadable=(),
        blobs=blobs,
        builds=tuple(builds),
        marks=marks,
        plans=plans,
        tables=(),
        current_tables=frozenset(),
        used_tables={},
        leases=(),
        staging=(),
        quarantine=(),
    )


POLICIES = st.one_of(
    st.builds(KeepBytes, st.integers(0, 5000)),
    st.builds(OlderThan, AGES),
)


def going(planned):
    """Every object that is to be deleted."""
    for eviction in planned.evictions:
        yield from (*eviction.entries, *eviction.manifests)
    yield from (removal.stat for removal in planned.removals)


def kept(survey, planned):
    evicted = {eviction.image for eviction in planned.evictions}
    return [image for image in survey.images if image not in evicted]


@few
@given(surveys(), POLICIES)
def test_nothing_goes_that_an_image_that_stays_needs(survey, policy):
    planned = plan(survey, policy)
    gone = {stat.key for stat in going(planned)}
    for image in kept(survey, planned):
        assert not gone & {layer_key(ref) for ref in image.refs}
        assert not gone & {entry.key for entry in image.entries}
        assert not gone & image.plans
    assert not gone & {layer_key(ref) for ref in survey.foreign}


@few
@given(surveys(), POLICIES)
def test_nothing_goes_that_is_new(survey, policy):
    """Except what depends on removed objects: where a layer is, and when a manifest was pulled."""
    for stat in going(plan(survey, policy)):
        assert stat.key.startswith(("builds/", "pulled/")) or stat.modified <= NOW - GRACE_PERIOD


@few
@given(surveys(), POLICIES)
def test_nothing_goes_twice(survey, policy):
    keys = [stat.key for stat in going(plan(survey, policy))]
    assert len(keys) == len(set(keys))


@few
@given(surveys(), st.integers(0, 5000))
def test_enough_goes_or_all_that_may(survey, size):
    planned = plan(survey, KeepBytes(size))
    if survey.size - sum(stat.size for stat in going(planned)) > size:
        assert all(stays_until(survey, image) > NOW for image in kept(survey, planned))


@few
@given(surveys(), st.integers(0, 5000), st.integers(0, 5000))
def test_what_must_go_at_least_is_what_may_stay_at_most(survey, size, free):
    at_most = KeepBytes(min(size, survey.size - free))
    assert plan(survey, KeepBytes(size, free)) == plan(survey, at_most)


@few
@given(surveys(), st.integers(0, 5000))
def test_only_as_much_as_needed_is_removed(survey, size):
    """Without the last image of those that went, too much would have stayed."""
    planned = plan(survey, KeepBytes(size))
    assume(planned.evictions)
    last = planned.evictions[-1]
    with_it = {layer_key(ref) for ref in last.image.refs} | {e.key for e in last.entries}
    freed = sum(
        stat.size
        for stat in going(planned)
        if stat.key.startswith(("layers/", "manifests/")) and stat.key not in with_it
    )
    loose = plan(survey, OlderThan(1e9)).removals
    garbage = sum(r.stat.size for r in loose if not r.stat.key.startswith("layers/"))
    assert survey.size - freed - garbage > size


@few
@given(surveys(), POLICIES)
def test_the_least_recently_pulled_image_is_removed_first(survey, policy):
    planned = plan(survey, policy)
    order = [last_used(survey, eviction.image) for eviction in planned.evictions]
    assert order == sorted(order)
    for image in kept(survey, planned):
        if order and stays_until(survey, image) <= NOW:
            assert last_used(survey, image) >= order[-1]


@few
@given(surveys(), AGES)
def test_all_that_is_older_goes(survey, age):
    planned = plan(survey, OlderThan(age))
    assert {eviction.image for eviction in planned.evictions} == {
        image
        for image in survey.images
        if last_used(survey, image) < NOW - age and stays_until(survey, image) <= NOW
    }


@few
@given(surveys(), POLICIES)
def test_what_was_pulled_today_stays(survey, policy):
    midnight = NOW - DAY / 2
    for eviction in plan(survey, policy).evictions:
        marks = [survey.marks[m] for m in eviction.image.manifests if m in survey.marks]
        assert all(mark.modified < midnight for mark in marks)


@few
@given(surveys(), POLICIES)
def test_a_layer_is_removed_before_its_entry(survey, policy):
    order = [removal.stat.key for removal in plan(survey, policy).removals]
    for build in survey.builds:
        layer = layer_key(build.layer)
        if layer in order:
            assert order.index(layer) < order.index(build.stat.key)

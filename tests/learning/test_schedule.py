"""When a table is learned, by whom, and what becomes of it."""

import asyncio
import json
import sys

import pytest
from structlog.testing import capture_logs
from support.tables.tools import asked

from nixery.errors import NixeryError
from nixery.human_units import DAY
from nixery.layers.tables import EMPTY, Units, encode_units, parse_units, version
from nixery.learning import child, schedule
from nixery.learning.requested_images import RequestedImages
from nixery.learning.schedule import (
    ENOUGH_IMAGES,
    INTERVAL,
    LEAST,
    Learner,
    in_a_process,
    is_time,
)
from nixery.tables.published import Published
from nixery.tables.request_record import encode

pytestmark = pytest.mark.anyio

IMAGES = [("git", "curl"), ("git", "python3"), ("curl", "python3"), ("python3",), ("git",)]
BUDGET = 2


@pytest.fixture
def images(storage):
    return RequestedImages(storage, lambda work: work())


@pytest.fixture
def published(storage):
    return Published(storage)


def note(images, count, start=0):
    for n in range(start, start + count):
        images.note(f"{n:064x}", asked(*IMAGES[n % len(IMAGES)]), [])


async def here(request):
    """Learns in this process."""
    return child.answer(request)


@pytest.fixture
def learner(images, published, clock):
    return Learner(images, published, BUDGET, sleep=clock.sleep, learn=here)


def units_of(published):
    return published.read("units", published.current("units").version or "0")


@pytest.mark.parametrize(
    ("recorded", "learned", "now", "expected"),
    [
        pytest.param([1.0] * (LEAST - 1), None, 2, False, id="too few"),
        pytest.param([1.0] * LEAST, None, 2, True, id="never learned"),
        pytest.param([1.0] * LEAST, 1.5, 1.5 + 9 * DAY, False, id="nothing new"),
        pytest.param([1.0] * LEAST + [2.0], 1.5, 1.5 + DAY - 1, False, id="one, too soon"),
        pytest.param([1.0] * LEAST + [2.0], 1.5, 1.5 + DAY, True, id="one, and a day"),
        pytest.param([2.0] * ENOUGH_IMAGES, 1.5, 3, True, id="enough"),
    ],
)
def test_when_it_is_time(recorded, learned, now, expected):
    assert is_time(recorded, learned, now) is expected


async def test_requested_images_become_the_table(learner, images, published):
    note(images, LEAST)
    await learner.check()
    units = parse_units(units_of(published))
    assert {name for unit in units.units for name in unit} >= {"git", "pcre2", "curl", "openssl"}
    assert set(units.unions) <= {BUDGET}


async def test_the_same_images_are_not_learned_from_twice(images, published, clock):
    """Nor is what failed tried again before there is something new."""
    requests = []

    async def fails(request):
        requests.append(request)
        raise NixeryError("no")

    note(images, LEAST)
    learner = Learner(images, published, BUDGET, sleep=clock.sleep, learn=fails)
    with pytest.raises(NixeryError):
        await learner.check()
    clock.forward(2 * DAY)
    await learner.check()
    assert len(requests) == 1


async def test_it_is_looked_at_hourly_and_survives_what_goes_wrong(images, published, clock):
    asked_to_learn = asyncio.Event()
    errors = iter([NixeryError("no"), TimeoutError(), KeyError("x")])

    async def fails(_):
        asked_to_learn.set()
        raise next(errors)

    note(images, LEAST)
    learner = Learner(images, published, BUDGET, sleep=clock.sleep, learn=fails)
    working = asyncio.create_task(learner.keep_learning())
    with capture_logs() as logs:
        for _ in range(3):
            await clock.sleeping()
            clock.forward(INTERVAL - 1)
            note(images, ENOUGH_IMAGES)
            clock.forward(1)
            await asked_to_learn.wait()
            asked_to_learn.clear()
        await clock.sleeping()
    assert [entry["event"] for entry in logs] == ["no table was learned"] * 3
    assert not working.done()
    working.cancel()


async def test_a_table_that_is_little_better_is_not_published(learner, images, published):
    note(images, LEAST)
    await learner.check()
    first = published.current("units")
    note(images, ENOUGH_IMAGES, LEAST)
    with capture_logs() as logs:
        await learner.learn()
    assert [entry.get("pays") for entry in logs] == [False]
    assert published.current("units") == first


async def test_too_few_images_leave_the_starting_table_alone(learner, images, published):
    started = published.publish("units", encode_units(EMPTY.units), published.current("units"))
    note(images, LEAST - 1)
    await learner.check()
    assert published.current("units") == started


async def test_two_that_learn_at_once_agree(images, storage, published, clock):
    """The second has learned another table meanwhile, and takes the winner's."""
    note(images, LEAST)
    mine = encode_units(Units((("mine",),), {}))
    first = Learner(images, Published(storage), BUDGET, sleep=clock.sleep, learn=here)

    async def later(_):
        await first.learn()
        return mine

    second = Learner(images, Published(storage), BUDGET, sleep=clock.sleep, learn=later)
    took = await second.learn()
    assert took.current == published.current("units").version
    assert units_of(published) != mine
    assert "git" in str(units_of(published))


async def test_a_table_published_during_learning_wins(learner, images, published):
    """They may be many, and a bucket slow."""
    note(images, LEAST)
    mine = encode_units(Units((("mine",),), {}))
    latest = images.latest

    def slow():
        published.publish("units", mine, published.current("units"))
        return latest()

    images.latest = slow
    await learner.learn()
    assert units_of(published) == mine


async def test_the_starting_list_is_learned_from_as_well(learner, images, published):
    """Packages that were never requested have a position."""
    start = encode(asked("git", "python3"))
    published.publish("start", start, published.current("start"))
    for n in range(LEAST):
        images.note(f"{n:064x}", asked("curl"), [])
    given = []

    async def learn(request):
        given.append(json.loads(request.partition(b"\n")[0])["start"])
        return b""

    learner._learn = learn
    await learner.learn()
    assert given == [start.decode()]
    assert published.current("units").version is None


async def test_a_process_learns_the_same(images):
    note(images, LEAST)
    request = child.request(
        images.latest(), encode(asked("git")), encode_units(EMPTY.units), BUDGET
    )
    table = await in_a_process(request)
    assert parse_units(table)
    assert table == child.answer(request)


async def test_a_process_finds_the_packages_that_a_wrapper_added(images, monkeypatch, tmp_path):
    """As with Nix's wrappers.

    The interpreter itself has none of the variables, wherever it is started.
    """
    monkeypatch.setattr(sys, "executable", sys._base_executable)
    monkeypatch.chdir(tmp_path)
    note(images, LEAST)
    request = child.request(images.latest(), None, None, BUDGET)
    assert await in_a_process(request) == child.answer(request)


async def test_a_failing_child_process_is_reported():
    with pytest.raises(NixeryError, match=r"status 1: .*JSONDecodeError"):
        await in_a_process(b"rubbish")


async def test_a_process_that_takes_too_long_is_ended(monkeypatch, tmp_path):
    """As it is when the server ends."""
    monkeypatch.setattr(schedule, "LEARNING_TIMEOUT", 0.2)
    (tmp_path / "slow.py").write_text("import time\nwhile True: time.sleep(1)\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(child, "__name__", "slow")
    with pytest.raises(TimeoutError):
        await in_a_process(b"")


def test_what_replaced_nothing_has_the_hash_as_its_name(published):
    data = encode_units(EMPTY.units)
    assert published.publish("units", data, published.current("units")).version == version(data)

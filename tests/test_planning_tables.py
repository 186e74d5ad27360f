"""The tables of a server: waiting for them, updating them, and stopping."""

import asyncio
import threading

import pytest
from anyio import to_thread
from support.tables.tools import asked

from nixery import planning
from nixery.cache import image_of
from nixery.closure import Package
from nixery.layers.tables import Popularity, parse_units
from nixery.learning import schedule
from nixery.planning import PlanningTables
from nixery.tables import popularity
from nixery.tables.published import Published

pytestmark = pytest.mark.anyio

URL = "http://popular.test/"


class Site:
    """Answers when the test allows it."""

    def __init__(self):
        self.asked = threading.Event()
        self.answers = threading.Event()

    def __call__(self, _):
        self.thread = threading.current_thread()
        self.asked.set()
        self.answers.wait()
        return b'{"glibc":9000}'


@pytest.fixture
def site(monkeypatch):
    site = Site()
    monkeypatch.setattr(popularity, "load", site)
    yield site
    site.answers.set()


def classic(storage):
    return PlanningTables(storage, strategy="dominator", budget=94, popularity_url=URL)


async def test_the_first_plan_waits_for_popularity(storage, site, monkeypatch):
    monkeypatch.setattr(planning, "POPULARITY_WAIT", 3600)
    async with classic(storage).opened() as tables:
        planned = asyncio.create_task(to_thread.run_sync(tables.current))
        await to_thread.run_sync(site.asked.wait)
        assert not planned.done()
        site.answers.set()
        found, versions = await planned
    assert found.popularity == Popularity({"glibc": 9000})
    assert list(versions) == ["popularity"]


@pytest.mark.usefixtures("site")
async def test_it_does_not_wait_for_long(storage, monkeypatch):
    monkeypatch.setattr(planning, "POPULARITY_WAIT", 0)
    async with classic(storage).opened() as tables:
        _, versions = await to_thread.run_sync(tables.current)
    assert versions == {}


@pytest.mark.usefixtures("site")
async def test_it_does_not_wait_where_something_is_published(storage):
    published = Published(storage)
    published.publish("popularity", b'{"zlib":1}', published.current("popularity"))
    async with classic(storage).opened() as tables:
        found, _ = await to_thread.run_sync(tables.current)
    assert found.popularity == Popularity({"zlib": 1})


@pytest.mark.usefixtures("site")
async def test_nor_where_popularity_plans_nothing(storage):
    units = PlanningTables(storage, strategy="units", budget=94, popularity_url=URL)
    async with units.opened() as tables:
        _, versions = await to_thread.run_sync(tables.current)
    assert versions == {}


async def test_its_end_waits_for_no_address(storage, site):
    """Leaving the block would hang, or the process's end."""
    async with classic(storage).opened():
        await to_thread.run_sync(site.asked.wait)
    assert not site.answers.is_set()
    assert site.thread.daemon


async def test_a_server_learns_from_what_it_makes(storage, monkeypatch):
    """From the record to the published table, in a separate process."""
    monkeypatch.setattr(schedule, "INTERVAL", 0)
    monkeypatch.setattr(schedule, "LEAST", 3)
    learned = asyncio.Event()
    loop = asyncio.get_running_loop()
    publish = Published.publish

    def publish_and_say(self, *arguments):
        pointer = publish(self, *arguments)
        loop.call_soon_threadsafe(learned.set)
        return pointer

    monkeypatch.setattr(Published, "publish", publish_and_say)
    async with PlanningTables(storage, strategy="units", budget=3).opened() as tables:
        for n, names in enumerate([("git", "curl"), ("git", "python3"), ("curl", "python3")]):
            image = asked(*names)
            packages = [Package(path, "", (("out", path),)) for path in image.packages]
            tables.record(image_of({}, f"{n:064x}"), packages, image.closure)
        await learned.wait()
    version = Published(storage).current("units").version
    units = parse_units(Published(storage).read("units", version))
    assert {name for unit in units.units for name in unit} >= {"git", "curl", "python3", "glibc"}


async def test_its_end_ends_what_learns(storage, monkeypatch):
    monkeypatch.setattr(schedule, "INTERVAL", 0)
    monkeypatch.setattr(schedule, "LEAST", 0)
    learning_now, ended = asyncio.Event(), asyncio.Event()

    async def learn(_):
        learning_now.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tables = PlanningTables(storage, strategy="units", budget=3, submit=lambda work: work())
    tables._learner._learn = learn
    tables.record(image_of({}, "0" * 64), [], asked("git").closure)
    async with tables.opened():
        await learning_now.wait()
    assert ended.is_set()

"""NIX_POPULARITY_URL is looked at daily, and never in anybody's way."""

import asyncio
import threading

import pytest
from anyio import to_thread
from structlog.testing import capture_logs

from nixery.errors import StorageFull, StorageUnavailable
from nixery.human_units import DAY, HOUR
from nixery.layers.tables import version
from nixery.tables import popularity as module
from nixery.tables.popularity import PopularityWatch
from nixery.tables.published import Published

pytestmark = pytest.mark.anyio

URL = "https://me:secret@popular.test/counts.json?token=secret"


class Site:
    """The content at the address; ``set`` changes it, and errors are raised."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.asked_again = threading.Event()

    def __call__(self, url):
        self.asked.append(url)
        if len(self.asked) > 1:
            self.asked_again.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def watch_of(site, storage, clock):
    return PopularityWatch(URL, Published(storage), site, sleep=clock.sleep)


def current(storage):
    return Published(storage).current("popularity").version


@pytest.mark.parametrize("answer", [b'{"a":1}', OSError("no route")])
async def test_waiting_ends_with_the_first_look(storage, clock, answer):
    watch = watch_of(Site(answer), storage, clock)
    watching = asyncio.create_task(watch.watch())
    await clock.sleeping()
    assert watch.looked.is_set()
    watching.cancel()


async def test_it_is_looked_at_at_the_start_and_daily(storage, clock):
    site = Site(b'{"a":1}', b'{"a":2}')
    watching = asyncio.create_task(watch_of(site, storage, clock).watch())
    await clock.sleeping()
    assert current(storage) == version(b'{"a":1}')
    clock.forward(DAY - 1)
    await asyncio.sleep(0)
    assert site.asked == [URL]
    clock.forward(1)
    await to_thread.run_sync(site.asked_again.wait)
    await clock.sleeping()
    assert current(storage) == version(b'{"a":2}')
    watching.cancel()


async def test_what_was_not_there_is_looked_for_hourly(storage, clock):
    site = Site(OSError("no route"), b'{"a":1}')
    watching = asyncio.create_task(watch_of(site, storage, clock).watch())
    await clock.sleeping()
    clock.forward(HOUR)
    await to_thread.run_sync(site.asked_again.wait)
    await clock.sleeping()
    assert current(storage) == version(b'{"a":1}')
    watching.cancel()


async def test_a_failure_is_logged_once_and_changes_nothing(storage, clock):
    site = Site(b'{"a":1}', *[OSError("no route"), OSError("no route"), ValueError("404")])
    watch = watch_of(site, storage, clock)
    with capture_logs() as logs:
        for _ in range(5):
            await watch.check()
    assert current(storage) == version(b'{"a":1}')
    assert [e["reason"] for e in logs if e["event"] == "popularity not used"] == [
        "OSError: no route",
        "ValueError: 404",
    ]


async def test_a_failure_after_a_success_is_logged_again(storage, clock):
    watch = watch_of(Site(OSError("no route"), b"{}", OSError("no route")), storage, clock)
    with capture_logs() as logs:
        for _ in range(3):
            await watch.check()
    assert len([e for e in logs if e["event"] == "popularity not used"]) == 2


async def test_logs_hold_no_secrets_and_no_addresses_of_objects(storage, clock):
    said = f"cannot open {URL}: <Connection object at 0x7f00dead>: refused"
    with capture_logs() as logs:
        await watch_of(Site(OSError(said)), storage, clock).check()
    assert logs[0]["url"] == "https://popular.test/counts.json"
    assert "secret" not in logs[0]["reason"]
    assert "0x7f" not in logs[0]["reason"]


@pytest.mark.parametrize("error", [StorageFull("full"), StorageUnavailable("gone"), OSError("no")])
async def test_a_full_storage_is_not_an_error_either(storage, clock, monkeypatch, error):
    def write(*_):
        raise error

    monkeypatch.setattr(storage, "write", write)
    watch = watch_of(Site(b"{}"), storage, clock)
    with capture_logs() as logs:
        await watch.check()
    assert [entry["event"] for entry in logs] == ["popularity not used"]


async def test_an_address_that_never_answers_is_left_behind(storage, clock, monkeypatch):
    monkeypatch.setattr(module, "DOWNLOAD_DEADLINE", 0)
    answered = threading.Event()

    def load(_):
        answered.wait()
        return b"{}"

    with capture_logs() as logs:
        await watch_of(load, storage, clock).check()
    assert [entry["reason"] for entry in logs] == ["TimeoutError: "]
    answered.set()
    assert current(storage) is None

"""The cache of what a moving name was resolved to."""

import anyio
import pytest

from nixery.errors import SourceUnavailable, TagUnknown, TooBusy
from nixery.source.ttl_cache import NEW_AT_ONCE, STALE, TtlCache

pytestmark = pytest.mark.anyio


class Remote:
    """Answers, or fails with an error; records how often it was called."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = 0

    async def __call__(self):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def memory(clock):
    return TtlCache(60, clock)


async def test_a_name_is_looked_up_once_in_a_while(memory, clock):
    remote = Remote("first")
    assert await memory.get_or_find("main", remote) == "first"
    remote.answer = "second"
    clock.forward(59)
    assert await memory.get_or_find("main", remote) == "first"
    assert remote.asked == 1
    clock.forward(1)
    assert await memory.get_or_find("main", remote) == "second"


async def test_names_do_not_mix(memory):
    assert await memory.get_or_find("main", Remote("a")) == "a"
    assert await memory.get_or_find("stable", Remote("b")) == "b"


async def test_the_last_result_is_used_if_resolving_fails(memory, clock):
    await memory.get_or_find("main", Remote("first"))
    clock.forward(STALE - 1)
    silent = Remote(SourceUnavailable("no answer"))
    assert await memory.get_or_find("main", silent) == "first"
    clock.forward(59)
    assert await memory.get_or_find("main", silent) == "first"
    assert silent.asked == 1  # each attempt may take long: not at every pull


async def test_too_old_an_answer_does_not_serve(memory, clock):
    await memory.get_or_find("main", Remote("first"))
    clock.forward(STALE)
    with pytest.raises(SourceUnavailable):
        await memory.get_or_find("main", Remote(SourceUnavailable("no answer")))


async def test_a_source_that_is_back_is_believed(memory, clock):
    await memory.get_or_find("main", Remote("first"))
    clock.forward(61)
    await memory.get_or_find("main", Remote(SourceUnavailable("no answer")))
    clock.forward(60)
    assert await memory.get_or_find("main", Remote("second")) == "second"


async def test_a_deleted_name_is_gone_at_once(memory, clock):
    await memory.get_or_find("main", Remote("first"))
    clock.forward(60)
    with pytest.raises(TagUnknown):
        await memory.get_or_find("main", Remote(TagUnknown("no such tag")))
    with pytest.raises(SourceUnavailable):
        await memory.get_or_find("main", Remote(SourceUnavailable("no answer")))


async def test_without_an_earlier_result_the_error_is_raised(memory):
    with pytest.raises(SourceUnavailable):
        await memory.get_or_find("main", Remote(SourceUnavailable("no answer")))


async def test_clients_cannot_fill_the_memory(memory, monkeypatch):
    monkeypatch.setattr("nixery.source.ttl_cache.NAMES", 10)
    for number in range(100):
        await memory.get_or_find(str(number), Remote(number))
    assert len(memory._answers) == 10


async def test_many_at_once_look_up_once(memory):
    """A name that has just expired is requested by a hundred clients."""
    asked, answer, found = [], anyio.Event(), []

    async def find():
        asked.append(1)
        await answer.wait()
        return "it"

    async def ask():
        found.append(await memory.get_or_find("main", find))

    async with anyio.create_task_group() as clients:
        for _ in range(100):
            clients.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        answer.set()
    assert found == ["it"] * 100
    assert len(asked) == 1


async def test_new_names_are_refused_where_too_many_wait(clock):
    """A cached name is refreshed nevertheless, and does not wait for them."""
    memory = TtlCache(60, clock, waiting=1)
    await memory.get_or_find("main", Remote("first"))
    clock.forward(60)
    gate = anyio.Event()

    async def slow():
        await gate.wait()
        return "found"

    async def ask(name):
        outcomes.append(await memory.get_or_find(name, slow))

    outcomes = []
    async with anyio.create_task_group() as tasks:
        for number in range(NEW_AT_ONCE + 1):
            tasks.start_soon(ask, f"new{number}")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(TooBusy):
            await memory.get_or_find("one more", slow)
        assert await memory.get_or_find("main", Remote("second")) == "second"
        gate.set()
    assert outcomes == ["found"] * (NEW_AT_ONCE + 1)

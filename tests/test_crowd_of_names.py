"""Many new names: most are refused, and cached images are served."""

import asyncio
import threading
from dataclasses import replace

import anyio.to_thread
import pytest
from structlog.testing import capture_logs

from nixery.errors import TooBusy
from nixery.storage.memory import MemoryStorage

pytestmark = pytest.mark.anyio

CROWD = 100
"""More than anyio has worker threads."""
QUEUE = 2


class HeldStorage(MemoryStorage):
    """Looks for a manifest only after ``go_on``, as a slow bucket does."""

    def __init__(self, clock):
        super().__init__(clock)
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def read(self, key):
        if key.startswith("manifests/"):
            self.asked.set()
            assert self.go_on.wait(60)
        return super().read(key)


@pytest.fixture
def names(registry):
    """One of them is evaluated at a time."""
    registry.limits = replace(registry.limits, builds=1, queue=QUEUE)
    names = [f"new{number}" for number in range(CROWD)]
    for name in names:
        registry.nix.add(name)
    return names


def ask(answers, names):
    return [asyncio.create_task(answers.image(name, "latest")) for name in names]


async def ended(asking, count):
    """The first of these; the others continue."""
    done, going_on = set(), set(asking)
    while len(done) < count:
        now, going_on = await asyncio.wait(going_on, return_when=asyncio.FIRST_COMPLETED)
        done |= now
    return list(done)


async def test_most_are_refused_at_once(registry, names):
    """With one line in the log; cached images are served meanwhile."""
    async with registry.opened() as answers:
        await answers.image("hello", "latest")
        gate = registry.nix.hold("evaluate")
        with capture_logs() as lines:
            asking = ask(answers, names)
            refused = await ended(asking, CROWD - QUEUE - 1)
            assert {type(task.exception()) for task in refused} == {TooBusy}
            assert (await answers.image("hello", "latest")).cache == "local"
        assert [line["event"] for line in lines] == ["too many images wait"]
        gate.release.set()
        await asyncio.gather(*asking, return_exceptions=True)
        assert sum(task.exception() is None for task in asking) == QUEUE + 1
        name = names[asking.index(refused[0])]
        assert (await answers.image(name, "latest")).cache == "none"  # not remembered


async def test_requests_for_one_image_share_a_place(registry, names):
    gate = registry.nix.hold("evaluate")
    async with registry.opened() as answers:
        asking = ask(answers, names[:1] * CROWD)
        await gate.entered.wait()
        gate.release.set()
        await asyncio.gather(*asking)
    assert registry.nix.steps == ["evaluate", "realise", "closure"]


async def test_known_images_do_not_wait_for_a_slow_bucket(registry, names):
    """Not even for the threads that look for unknown ones, also after a restart."""
    storage = registry.storage = HeldStorage(registry.clock)
    async with registry.opened() as answers:
        await answers.image("hello", "latest")
    async with registry.opened() as answers:
        storage.go_on.clear()
        asking = ask(answers, names)
        await anyio.to_thread.run_sync(storage.asked.wait)
        assert (await answers.image("hello", "latest")).cache == "local"
        storage.go_on.set()
        await asyncio.gather(*asking, return_exceptions=True)

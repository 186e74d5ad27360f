"""Requests that begin a few at a time, and those that do not wait for them."""

import asyncio

import pytest

from nixery.http.lane import EACH_ROUND, Lane

pytestmark = pytest.mark.anyio

NEW = [f"/v2/new{number}/manifests/latest" for number in range(50)]
KNOWN = "/v2/hello/manifests/latest"
NEVER = [
    "/v2/",
    "/readyz",
    f"/v2/hello/manifests/sha256:{'0' * 64}",
    f"/v2/a/blobs/sha256:{'0' * 64}",
]


@pytest.fixture
def lane():
    lane = Lane()
    lane.served(KNOWN)
    return lane


def waits(lane, path):
    """Whether its request would have to wait."""
    turn = lane.turn(path)
    try:
        turn.send(None)
    except StopIteration:
        return False
    turn.close()
    return True


@pytest.mark.parametrize("path", [KNOWN, *NEVER])
async def test_requests_that_do_not_wait(lane, path):
    asking = [asyncio.create_task(lane.turn(new)) for new in NEW]
    await asyncio.sleep(0)
    assert not waits(lane, path)
    assert waits(lane, NEW[0])
    await asyncio.gather(*asking)


async def test_few_at_a_time_and_in_their_order(lane):
    """A caller that has left takes no turn, and does not stop the others."""
    begun = []

    async def ask(path):
        await lane.turn(path)
        begun.append(path)

    asking = [asyncio.create_task(ask(path)) for path in NEW]
    rounds = 0
    while not all(task.done() for task in asking):
        before = len(begun)
        if rounds == 2:
            asking[-1].cancel()
        await asyncio.sleep(0)
        assert len(begun) - before <= EACH_ROUND
        rounds += 1
    assert begun == NEW[:-1]


async def test_served_once(lane):
    lane.served(NEW[0])
    assert not waits(lane, NEW[0])

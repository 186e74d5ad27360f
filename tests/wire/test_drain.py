"""The end of a server: transfers first, then builds."""

import asyncio

import pytest

from nixery.wire.drain import Drain

pytestmark = pytest.mark.anyio


class Builds:
    def __init__(self):
        self.cancelled = asyncio.Event()

    async def cancel(self):
        self.cancelled.set()


@pytest.fixture
def builds():
    return Builds()


async def test_a_server_that_does_nothing_ends_at_once(builds):
    await Drain().finish(builds.cancel, 60)
    assert builds.cancelled.is_set()


async def test_transfers_end_before_builds_are_cancelled(builds):
    drain = Drain()
    with drain.request():
        ending = asyncio.create_task(drain.finish(builds.cancel, 60))
        await asyncio.sleep(0)
        assert not builds.cancelled.is_set()
    await ending
    assert builds.cancelled.is_set()


async def test_a_request_that_waits_for_an_image_does_not_delay_the_exit(builds):
    drain = Drain()
    with drain.request(), drain.waiting():
        await drain.finish(builds.cancel, 60)
    assert builds.cancelled.is_set()


async def test_a_transfer_that_does_not_end_is_not_waited_for_for_ever(builds):
    drain = Drain()
    with drain.request():
        await drain.finish(builds.cancel, 0)
    assert builds.cancelled.is_set()

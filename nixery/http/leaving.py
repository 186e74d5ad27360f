"""Clients that disconnect before their response: cancels the work for them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from starlette.types import Receive

T = TypeVar("T")


class ClientLeft(Exception):
    """The client closed the connection. Nobody reads the response; the log says 499."""


async def while_connected(receive: Receive, work: Callable[[], Awaitable[T]]) -> T:
    """Result of ``work``. Cancels it and raises ClientLeft if the client disconnects.

    Reads and discards the body of the request, which no route uses.
    """
    with anyio.CancelScope() as scope:
        # A task group would cost more than a cached manifest, and every pull passes here.
        watch = asyncio.create_task(_cancel_when_gone(receive, scope))
        try:
            return await work()
        finally:
            watch.cancel()
    raise ClientLeft


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()

"""A client that leaves before it has its answer: nobody waits for it, so nothing goes on for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from starlette.types import Receive

T = TypeVar("T")


class ClientLeft(Exception):
    """The client closed the connection. Nobody reads an answer; the log's line says 499."""


async def while_connected(receive: Receive, work: Callable[[], Awaitable[T]]) -> T:
    """What ``work`` gives, or raises; it is cancelled and ClientLeft raised when the client left.

    The request's body, which no request here has a use for, is read and thrown away.
    """
    with anyio.CancelScope() as scope:
        # No task group: it costs more than a cached manifest, and every pull comes by here.
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

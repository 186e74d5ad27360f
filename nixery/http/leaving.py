"""A client that leaves before it has its answer: nobody waits for it, so nothing goes on for it."""

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
    failure: Exception | None = None
    result: list[T] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
        try:
            result.append(await work())
        except Exception as error:  # noqa: BLE001 - raised below, as itself and not as a group
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if not result:
        raise ClientLeft
    return result[0]


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()

"""Commands, started so that all of what they start can be ended with them.

Each leads a process group of its own, and works in ``/``: a directory that vanishes would break it.
"""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress

from anyio import CancelScope


async def start(*command: str, environment: Mapping[str, str], stdin: int = PIPE) -> Process:
    """With pipes for what it prints. Raises OSError where the command cannot be run.

    asyncio, cancelled while it sets up the pipes, would end the command alone and leave behind
    what it has started by then. So it is not: a scope that is cancelled waits for the process,
    and its caller ends it. A task that is cancelled does not heed scopes, and ends it here.
    """
    making = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    )
    with CancelScope(shield=True):
        try:
            await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(_end)  # also if this task is cancelled once more
            await asyncio.wait([making])
            with suppress(OSError):  # it could not be run
                await (await making).communicate()  # closes its pipes
            raise
    return making.result()


def send(process: Process, number: signal.Signals) -> None:
    """To all of the process's group; nothing happens where it has ended by itself."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _end(making: asyncio.Future[Process]) -> None:
    if not making.cancelled() and making.exception() is None:
        send(making.result(), signal.SIGKILL)

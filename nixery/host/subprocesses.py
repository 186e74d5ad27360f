"""Child processes, ended together with everything that they started.

Each child leads its own process group, and runs in ``/``, because another directory could vanish.
"""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress

from anyio import CancelScope


async def start(*command: str, environment: Mapping[str, str], stdin: int = PIPE) -> Process:
    """Starts a command with pipes for its output. Raises OSError if it cannot be run.

    If asyncio is cancelled while it sets up the pipes, it ends only the command and not what that
    started. So cancelling a scope waits until the process is set up, and the caller ends it.
    Cancelling the task itself ignores scopes, and ends the process here.
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
            making.add_done_callback(_end)  # even if this task is cancelled again
            await asyncio.wait([making])
            with suppress(OSError):  # the command could not be run
                await (await making).communicate()  # closes its pipes
            raise
    return making.result()


def send(process: Process, number: signal.Signals) -> None:
    """Signals the whole process group; does nothing if it has ended."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _end(making: asyncio.Future[Process]) -> None:
    if not making.cancelled() and making.exception() is None:
        send(making.result(), signal.SIGKILL)

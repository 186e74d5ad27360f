"""Commands, started so that all of what they start can be ended with them.

Each leads a process group of its own, and works in ``/``: a directory that vanishes would break it.
"""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping

from anyio import CancelScope


async def start(*command: str, environment: Mapping[str, str], stdin: int = PIPE) -> Process:
    """With pipes for what it prints. A caller that is cancelled still gets the process, to end it.

    Unshielded, a cancellation while asyncio sets up the pipes would end the command alone, and
    leave behind what it has started by then. Raises OSError where the command cannot be run.
    """
    with CancelScope(shield=True):
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    return process  # noqa: RET504 - not in the block: to mypy, a scope may swallow the error

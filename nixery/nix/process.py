"""One Nix command, from start to end.

Policies
- stdout and stderr are read together: Nix blocks when either pipe is full (64 KiB).
- Memory and the log are bounded whatever is printed: lines.py cuts long lines, record.py says
  which are logged and kept, and a command that prints more on stdout than it may is ended.
- Other requests are served between two chunks, however fast a builder prints.
- The command leads a process group of its own. When the caller is cancelled or its deadline
  passes, the group gets SIGTERM, on which Nix ends its builders and the daemon those of its
  client, and after TERMINATE_SECONDS seconds SIGKILL. Nothing returns before the process is gone.
"""

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anyio import CancelScope, create_task_group, move_on_after
from anyio.lowlevel import checkpoint

from nixery.errors import NixeryError
from nixery.host import subprocesses
from nixery.nix.build_log import Record
from nixery.nix.events import EventReader, Line
from nixery.nix.lines import LineSplitter

MAX_OUTPUT = 256 * 1024 * 1024  # the closure of 100,000 paths prints about 60 MiB
TERMINATE_SECONDS = 5.0  # Nix needs far less, but evaluation may ignore signals for a while
_CHUNK = 16 * 1024  # about 100 lines: logging them holds the event loop for some milliseconds


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    status: int
    stdout: bytes
    errors: tuple[Line, ...]
    """Nix's own error messages, the first ones, oldest first; a text may have several lines."""
    log: tuple[Line, ...]
    """The last lines of each of the last builds, then messages, oldest first."""
    claims: tuple[Line, ...] = ()
    """The last messages that are Nix's own errors, or a builder's that look so."""
    has_built: bool = False
    """Whether anything was built."""
    is_cut: bool = False
    """It printed more on stdout than it may, and was ended for that."""

    def seen_from(self, tree: Path) -> "Finished":
        """With its files called by their paths within it: default.nix."""
        if tree == Path(tree.anchor):
            return self
        inside = f"{tree}/"
        errors, claims, log = (
            tuple(replace(line, text=line.text.replace(inside, "")) for line in lines)
            for lines in (self.errors, self.claims, self.log)
        )
        return replace(self, errors=errors, claims=claims, log=log)


async def run(
    command: Sequence[str],
    *,
    phase: str,
    environment: Mapping[str, str],
    stdin: bytes = b"",
    max_output: int = MAX_OUTPUT,
) -> Finished:
    """Raises NixeryError where the command is not there; that it failed is a status.

    ``max_output``: bytes of stdout.
    """
    try:
        process = await subprocesses.start(*command, environment=environment)
    except (FileNotFoundError, PermissionError) as error:
        raise cannot_run(command[0], error.strerror) from None
    record = Record(EventReader(phase))
    try:
        return await _drain(process, record, stdin, max_output)
    finally:
        with CancelScope(shield=True):
            await _end(process)
        record.close()


def cannot_run(command: str, reason: str | None) -> NixeryError:
    return NixeryError(
        f"{command} cannot be run ({reason}): it must be on the server's PATH", cause="no_command"
    )


async def _drain(process: Process, record: Record, stdin: bytes, max_output: int) -> Finished:
    assert process.stdin
    assert process.stdout
    assert process.stderr
    # Written in the background; a command that ends without reading has a status to say why.
    process.stdin.write(stdin)
    process.stdin.close()

    output = bytearray()

    async def collect(stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(_CHUNK):
            if len(output) > max_output:
                continue  # until it has ended
            output.extend(chunk)
            if len(output) > max_output:
                subprocesses.send(process, signal.SIGKILL)

    async with create_task_group() as tasks:
        tasks.start_soon(collect, process.stdout)
        splitter = LineSplitter()
        while chunk := await process.stderr.read(_CHUNK):
            for line in splitter.feed(chunk):
                record.note(line)
            await checkpoint()  # reading what has arrived already would not let others run
        for line in splitter.end():
            record.note(line)
    status = await process.wait()
    is_cut = len(output) > max_output
    return Finished(
        status,
        b"" if is_cut else bytes(output),
        errors=tuple(record.errors),
        log=record.log,
        claims=tuple(record.claims),
        has_built=record.reader.has_built,
        is_cut=is_cut,
    )


async def _end(process: Process) -> None:
    """End the whole group, and wait for it."""
    if process.returncode is None:
        subprocesses.send(process, signal.SIGTERM)
        with move_on_after(TERMINATE_SECONDS):
            await process.wait()
    # Also after a good end: what the command left behind in its group goes with it.
    subprocesses.send(process, signal.SIGKILL)
    await process.wait()

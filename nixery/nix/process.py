"""One Nix process, from start to end.

- stdout and stderr are read together: Nix blocks when either pipe is full (64 KiB).
- Memory and log are bounded whatever is printed: lines.py truncates long lines, build_log.py
  selects what is logged and kept, and a command that exceeds its limit on stdout is ended.
- Other requests are served between two chunks, however fast a builder prints.
- The process leads its own process group. When the caller is cancelled or the deadline passes, the
  group gets SIGTERM, and SIGKILL after TERMINATE_SECONDS. On SIGTERM, Nix ends its builders, and
  the daemon those of its client. Nothing returns before the process has ended.
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
TERMINATE_SECONDS = 5.0  # Nix needs much less, but evaluation may ignore signals for a while
_CHUNK = 16 * 1024  # about 100 lines: logging them blocks the event loop for some milliseconds


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a command."""

    status: int
    stdout: bytes
    errors: tuple[Line, ...]
    """Nix's first error messages, oldest first; a text may have several lines."""
    log: tuple[Line, ...]
    """The last lines of each of the last builds, then messages, oldest first."""
    preparation: tuple[Line, ...] = ()
    """The first messages before any build was started, and the last of them."""
    claims: tuple[Line, ...] = ()
    """The last error messages that are Nix's or may be a builder's."""
    has_built: bool = False
    """Whether any build was started."""
    is_cut: bool = False
    """Whether it was ended because it exceeded the limit of stdout."""

    def seen_from(self, tree: Path) -> "Finished":
        """The texts, with paths of Nixery's expressions shortened to default.nix."""
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
    """Raises NixeryError if the command is missing; its own failure is a status.

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
    # Written in the background: a command that ends without reading has a status that explains it.
    process.stdin.write(stdin)
    process.stdin.close()

    output = bytearray()

    async def collect(stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(_CHUNK):
            if len(output) > max_output:
                continue  # until the process has ended
            output.extend(chunk)
            if len(output) > max_output:
                subprocesses.send(process, signal.SIGKILL)

    async with create_task_group() as tasks:
        tasks.start_soon(collect, process.stdout)
        splitter = LineSplitter()
        while chunk := await process.stderr.read(_CHUNK):
            for line in splitter.feed(chunk):
                record.note(line)
            await checkpoint()  # reading data that has arrived does not yield to other tasks
        for line in splitter.end():
            record.note(line)
    status = await process.wait()
    is_cut = len(output) > max_output
    return Finished(
        status,
        b"" if is_cut else bytes(output),
        errors=tuple(record.errors),
        log=record.log,
        preparation=tuple(record.preparation),
        claims=tuple(record.claims),
        has_built=record.reader.has_built,
        is_cut=is_cut,
    )


async def _end(process: Process) -> None:
    """Ends the whole group, and waits for it."""
    if process.returncode is None:
        subprocesses.send(process, signal.SIGTERM)
        with move_on_after(TERMINATE_SECONDS):
            await process.wait()
    # Also after a success, to end what the command left in its group.
    subprocesses.send(process, signal.SIGKILL)
    await process.wait()

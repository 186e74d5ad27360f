"""Runs git for a service: no prompts, no foreign programs, no leftover processes.

- Configuration and environment are fixed (git_config.py); there is no terminal.
- Transport: GIT_ALLOW_PROTOCOL allows only the scheme of the address, so redirects, rewritten
  addresses and submodules cannot select another one. Commands that need no network have none: a
  partial clone would fetch missing objects one by one.
- End: each call has a deadline. After it, or when the caller is cancelled, git's process group gets
  SIGTERM, so that git removes its lock files, and SIGKILL after a moment.
"""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anyio import CancelScope, move_on_after

from nixery.host import subprocesses
from nixery.source import git_config
from nixery.source.address import Address

LISTING_SECONDS = 30.0
"""A forge lists its refs in 1–3 s; docker does not wait much longer."""
TREE_SECONDS = 240.0
"""One commit of nixpkgs is 45 MB and takes 10–30 s; less than NIXERY_REQUEST_TIMEOUT's default."""
HISTORY_SECONDS = 3600.0
"""All commits of nixpkgs take minutes, once; requests do not wait for that."""
LOCAL_SECONDS = 120.0
"""Reading the mirror takes milliseconds, writing 40,000 files seconds; more on a busy disk."""

MAX_PROCESSES = 16
"""Processes of one source. Most take milliseconds; a few that fetch may take minutes."""

_TERMINATION_SECONDS = 2.0
_KEPT_MESSAGES = 16_384  # bytes kept of git's messages and the remote's; the end matters


class GitFailed(Exception):
    """Git exited with an error; ``messages`` is its output, without user information."""

    def __init__(self, verb: str, status: int, messages: str) -> None:
        super().__init__(f"git {verb} exited with {status}: {messages}")
        self.verb = verb
        self.status = status
        self.messages = messages


class GitTimedOut(GitFailed):
    """The deadline passed; git was ended."""


@dataclass(frozen=True, slots=True)
class Output:
    stdout: bytes
    messages: str


class Git:
    """Git for one address, which it knows as the remote ``origin``."""

    def __init__(self, address: Address, directory: Path, environ: Mapping[str, str]) -> None:
        """Writes the configuration to ``directory``, readable by its owner only."""
        config = git_config.write(address, directory, environ.get("GIT_CONFIG_GLOBAL", ""))
        self._environ = git_config.environment(environ, config)
        self._scheme = address.scheme
        self._slots = asyncio.Semaphore(MAX_PROCESSES)

    async def run(
        self,
        *arguments: str,
        directory: Path,
        deadline: float,
        work_tree: Path | None = None,
        network: bool = False,
    ) -> Output:
        """Runs git on the bare repository ``directory``; ``deadline`` in seconds.

        Raises GitTimedOut, or GitFailed for any status but 0.
        """
        place = [f"--git-dir={directory}", *([f"--work-tree={work_tree}"] if work_tree else [])]
        async with self._slots:
            return await self._run(place, arguments, deadline, self._scheme if network else "none")

    async def _run(
        self, place: Sequence[str], arguments: Sequence[str], deadline: float, protocol: str
    ) -> Output:
        process = await subprocesses.start(
            "git",
            *git_config.OPTIONS,
            *place,
            *arguments,
            environment=self._environ | {"GIT_ALLOW_PROTOCOL": protocol},
            stdin=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        verb = arguments[0]
        ended = False
        try:
            async with asyncio.timeout(deadline):
                stdout, stderr, status = await asyncio.gather(
                    process.stdout.read(), _end_of(process.stderr), process.wait()
                )
            ended = True
        except TimeoutError:
            raise GitTimedOut(verb, -1, f"still running after {deadline:g} s") from None
        finally:
            if not ended:
                await _end(process)
        messages = git_config.without_user_info(stderr.decode(errors="replace")).strip()
        if status != 0:
            raise GitFailed(verb, status, messages)
        return Output(stdout, messages)


async def _end_of(stream: asyncio.StreamReader) -> bytes:
    """Reads everything and keeps the end."""
    kept = b""
    while chunk := await stream.read(65_536):
        kept = (kept + chunk)[-_KEPT_MESSAGES:]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends the process group, whether or not git itself still runs."""
    with CancelScope(shield=True):
        subprocesses.send(process, signal.SIGTERM)
        with move_on_after(_TERMINATION_SECONDS):
            await process.wait()
        # A child of git may ignore SIGTERM.
        subprocesses.send(process, signal.SIGKILL)
        # The pipes close when the last process of the group ends.
        with move_on_after(_TERMINATION_SECONDS):
            await process.communicate()

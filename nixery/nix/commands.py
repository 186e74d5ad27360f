"""Runs the steps of the builder's command, each with its confinement and environment.

evaluate                  confined to the package set, Nix and an empty home
realise, closure, check   with a daemon: confined to Nix and an empty home
                          without: not confined, because builders are child processes, and
                          their sandbox cannot be set up inside a confinement
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from anyio import CancelScope
from anyio.to_thread import run_sync

from nixery import expressions
from nixery.confinement import command_line
from nixery.host.disk_space import room_at
from nixery.nix import process
from nixery.nix.environment import confined, for_nix
from nixery.nix.lookup import MAX_ANSWER
from nixery.nix.machine import Machine, protocols


class Commands:
    def __init__(
        self, environment: Mapping[str, str], *, nix_timeout: int, command: str, is_confined: bool
    ) -> None:
        """``environment``: the service's. ``nix_timeout``: seconds for one builder."""
        self._command = command
        self._environment = {
            **for_nix(environment),
            "NIX_TIMEOUT": str(nix_timeout),
            "NIXERY_EXPRESSIONS": str(expressions.DIRECTORY),
        }
        self._machine = Machine(self._environment)
        self._is_confined = is_confined

    async def evaluate(
        self,
        options: Sequence[str],
        question: bytes,
        *,
        trees: Sequence[Path],
        allowed_uris: Sequence[str],
        memory: int | None,
    ) -> process.Finished:
        """``trees``: what may be read. ``memory``: bytes of address space."""
        if not self._machine.has_daemon:
            with suppress(OSError):  # Nix reports it better
                self._machine.store.mkdir(parents=True, exist_ok=True)
        async with _home() as home:
            confinement = (
                self._machine.evaluation(trees, home, allowed_uris) if self._is_confined else None
            )
            return await process.run(
                command_line([*self._found(), "evaluate", *options], confinement, memory),
                phase="evaluate",
                environment=confined(self._environment, home, protocols(allowed_uris)),
                stdin=question,
                max_output=MAX_ANSWER,
            )

    async def run(self, step: str, *arguments: str, roots: Path | None = None) -> process.Finished:
        """Runs a step other than evaluate. ``roots``: the directory for its links."""
        command = [*self._found(), step, *arguments]
        if not (self._is_confined and self._machine.has_daemon):
            return await process.run(
                command_line(command, None), phase=step, environment=self._environment
            )
        async with _home() as home:
            confinement = self._machine.client(home, [roots] if roots else [])
            return await process.run(
                command_line(command, confinement),
                phase=step,
                environment=confined(self._environment, home),
            )

    def is_store_full(self) -> bool:
        """Whether a disk that Nix writes to is almost full. Blocks."""
        return any(room_at(place).is_low for place in self._machine.disks)

    def _found(self) -> list[str]:
        """By path, because PATH may contain directories that the launcher cannot access."""
        path = self._environment.get("PATH", os.defpath)
        found = shutil.which(self._command, path=path)
        if found is None:
            raise process.cannot_run(self._command, "No such file or directory")
        return expressions.resolved_command(found)


@asynccontextmanager
async def _home() -> AsyncIterator[Path]:
    """An empty directory, removed at the end with everything in it."""
    place = Path(tempfile.mkdtemp(prefix="nixery-home-"))
    try:
        yield place
    finally:
        with CancelScope(shield=True):
            # It may contain large downloads.
            await run_sync(lambda: shutil.rmtree(place, ignore_errors=True))

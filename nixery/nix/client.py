"""Nix client: names to packages, packages to store paths, store paths to closures."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.to_thread import run_sync

from nixery.closure import Closure, Package, StorePath
from nixery.errors import EvaluationFailed, NixeryError, TimedOut
from nixery.image_name import Architecture, ImageRequest
from nixery.nix import build_failures, failures, lookup, machine_errors, process
from nixery.nix.commands import Commands
from nixery.nix.lookup import RefusedName
from nixery.nix.overlays import overlay_files
from nixery.nix.store import parse_closure
from nixery.source import SourceTree


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Permissions and limits of evaluation."""

    allowed_paths: tuple[Path, ...] = ()
    """Paths that may be read in addition to the package set."""
    overlays: tuple[Path, ...] = ()
    """Files and directories, see overlays.py, for a set that takes the argument ``overlays``."""
    search_path: tuple[tuple[str, Path], ...] = ()
    """Names and paths: ``nixpkgs`` for ``<nixpkgs>``."""
    allowed_uris: tuple[str, ...] = ()
    """Prefixes of URIs that may be downloaded."""
    allow_ifd: bool = False
    """Import from derivation: evaluation may build."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The package set's argument ``config``."""
    memory: int | None = None
    """Bytes of address space; None for no limit."""
    timeout: float = 60
    """Seconds for the names of one image."""
    confined: bool = True
    """Whether the kernel enforces the permissions, in addition to Nix."""


class Nix:
    """Each method runs one Nix command, which may take minutes and can be cancelled.

    All raise NixeryError if Nix cannot be used, and StorageFull if its disk is full.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        nix_timeout: int = 60,
        evaluation: Evaluation | None = None,
        command: str = "nixery-prepare-image",
    ) -> None:
        """``environment``: the service's, including PATH, HOME and NIX_REMOTE; see for_nix.

        ``nix_timeout``: seconds for a single builder.
        """
        self._may = evaluation or Evaluation()
        self._commands = Commands(
            environment,
            nix_timeout=nix_timeout,
            command=command,
            is_confined=self._may.confined,
        )

    async def evaluate(self, source: SourceTree, request: ImageRequest) -> tuple[Package, ...]:
        """The requested packages, in order; builds nothing.

        Raises PackageNotFound, Denied or EvaluationFailed for the first name that fails, and
        TimedOut.
        """
        try:
            with anyio.fail_after(self._may.timeout):
                return await self._packages(source, request)
        except TimeoutError:
            names = ", ".join(map(repr, request.requested))
            raise TimedOut(
                f"{names} could not be evaluated within {self._may.timeout:g} seconds "
                "(NIXERY_EVALUATION_TIMEOUT)",
                cause="evaluation_timeout",
            ) from None

    async def realise(self, packages: Sequence[Package], root: Path) -> None:
        """Builds or substitutes the outputs, and roots them with links.

        The links are ``root``, ``root-2`` …, some followed by an output's name; their directory
        must exist. Raises BuildFailed, TimedOut, or Denied if no builder supports the system, or if
        a package's outputs are not those of its derivation.
        """
        wanted = [
            f"{package.drv_path}!{','.join(name for name, _ in package.outputs)}"
            for package in packages
        ]
        finished = await self._commands.run("realise", str(root), *wanted, roots=root.parent)
        if finished.status != 0:
            raise build_failures.of_realisation(finished, packages, await self._trouble(finished))
        # The output paths come from the package set. Without this check it could name any path of
        # this machine's store, which would then be served.
        made = await run_sync(_targets, finished.stdout)
        for package in packages:
            if not made.issuperset(package.paths):
                raise failures.of_foreign_output(package)

    async def closure(self, paths: Sequence[StorePath]) -> Closure:
        """The closure of the paths, themselves included. They must be valid."""
        finished = await self._commands.run("closure", *paths)
        if finished.status != 0 or finished.is_cut:
            raise failures.of_closure(finished)
        return await run_sync(parse_closure, finished.stdout)

    async def check(self) -> None:
        """Raises NixeryError if Nix, its store or its daemon cannot be used."""
        finished = await self._commands.run("check")
        if finished.status != 0:
            raise failures.of_check(finished)

    async def check_set(self, source: SourceTree) -> None:
        """Raises EvaluationFailed if the package set as a whole cannot be evaluated.

        Such as a nixpkgs that needs a later version of Nix.
        """
        await self._evaluate(source, Architecture.AMD64, ())

    async def _trouble(self, finished: process.Finished) -> NixeryError | None:
        """A fault of the machine that a message mentions, if the machine really has it."""
        suspected = machine_errors.of_errors((*finished.errors, *finished.claims))
        if suspected is None:
            return None
        if suspected.cause != "no_daemon" and await run_sync(self._commands.is_store_full):
            return machine_errors.store_full(suspected.log)
        checked = await self._commands.run("check")
        return failures.of_check(checked) if checked.status != 0 else None

    async def _packages(self, source: SourceTree, request: ImageRequest) -> tuple[Package, ...]:
        found = await self._look_up(source, request)
        refused = [entry for entry in found if isinstance(entry, RefusedName)]
        if missing := [entry for entry in refused if entry.status == "not_found"]:
            # Comparing names with all of nixpkgs would block the event loop for too long.
            raise await run_sync(lookup.missing, missing)
        if refused:
            explanation = await self._explain(source, request, refused[0])
            raise lookup.verdict(refused[0], request.architecture.system, explanation)
        return tuple(entry for entry in found if isinstance(entry, Package))

    async def _look_up(
        self, source: SourceTree, request: ImageRequest
    ) -> tuple[Package | RefusedName, ...]:
        try:
            return await self._evaluate(source, request.architecture, request.packages)
        except EvaluationFailed:
            # An abort or a type error of one name ends the evaluation of all. The error is that of
            # the set, if it occurs without any name, or of one name, which halving finds.
            await self._evaluate(source, request.architecture, ())
            if len(request.packages) == 1:
                raise
            return await self._halve(source, request.architecture, request.packages)

    async def _halve(
        self, source: SourceTree, architecture: Architecture, names: Sequence[str]
    ) -> tuple[Package | RefusedName, ...]:
        """Evaluates names in parts, which fail together. Raises the error of one of them.

        Each may succeed without the others, if together they need too much memory.
        """
        if len(names) == 1:
            return await self._evaluate(source, architecture, names)
        middle = len(names) // 2
        first, second = names[:middle], names[middle:]
        try:
            found = await self._evaluate(source, architecture, first)
        except EvaluationFailed:
            found = await self._halve(source, architecture, first)
            return found + await self._evaluate(source, architecture, second)
        return found + await self._halve(source, architecture, second)

    async def _evaluate(
        self, source: SourceTree, architecture: Architecture, names: Sequence[str]
    ) -> tuple[Package | RefusedName, ...]:
        finished = await self._ask(source, architecture, names=names)
        if finished.status != 0 or finished.is_cut:
            subject = f"package {names[0]!r}" if len(names) == 1 else "the package set"
            raise failures.of_evaluation(finished, subject, await self._trouble(finished))
        # A failed lookup lists half a megabyte of names.
        return await run_sync(lookup.read, finished.stdout, names)

    async def _explain(self, source: SourceTree, request: ImageRequest, entry: RefusedName) -> str:
        """The message that the lookup swallowed, because tryEval returns none."""
        if not entry.needs_explanation:
            return ""
        finished = await self._ask(source, request.architecture, names=(), explain=entry.name)
        return finished.errors[-1].text if finished.errors else ""

    async def _ask(
        self, source: SourceTree, architecture: Architecture, **question: object
    ) -> process.Finished:
        asked = {
            # Restricted evaluation follows links before it checks whether a path is allowed.
            "set": str(source.path.resolve()),
            "system": architecture.system,
            "config": dict(self._may.config),
            "overlays": await run_sync(self._overlays),
        }
        search_path = [(name, path.resolve()) for name, path in self._may.search_path]
        further = (*self._may.allowed_paths, *self._may.overlays)
        trees = [path.resolve() for path in (source.root, source.path, *further)]
        named = [*search_path, *(("source", tree) for tree in trees)]
        options = [word for name, path in named for word in ("-I", f"{name}={path}")]
        if self._may.allowed_uris:
            options += ["--option", "allowed-uris", " ".join(self._may.allowed_uris)]
        if self._may.allow_ifd:
            options += ["--option", "allow-import-from-derivation", "true"]
        finished = await self._commands.evaluate(
            options,
            json.dumps(asked | question).encode(),
            trees=[*trees, *(path for _, path in search_path)],
            allowed_uris=self._may.allowed_uris,
            memory=self._may.memory,
        )
        return finished.seen_from(trees[0])

    def _overlays(self) -> list[str]:
        try:
            return [str(path.resolve()) for path in overlay_files(self._may.overlays)]
        except OSError as error:
            raise EvaluationFailed(
                f"an overlay of the server cannot be read ({error.strerror})", cause="overlay"
            ) from None


def _targets(links: bytes) -> set[StorePath]:
    """The targets of links whose paths are given, one per line."""
    return {str(Path(os.fsdecode(link)).readlink()) for link in links.splitlines()}

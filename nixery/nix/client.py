"""The Nix of this machine: names to packages, packages to store paths, store paths to closures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync

from nixery.closure import Closure, Package, StorePath
from nixery.errors import EvaluationFailed
from nixery.image import ImageRequest
from nixery.nix import failures, lookup, process
from nixery.nix.environment import for_nix
from nixery.nix.lookup import Refused
from nixery.nix.store import parse_closure
from nixery.source import SourceTree


class Nix:
    """Each method runs one Nix command, may take minutes, and may be cancelled at any time.

    All of them raise NixeryError where Nix itself cannot be used, StorageFull where its disk is.
    """

    def __init__(  # noqa: PLR0913 - plain values, named where they are given
        self,
        *,
        environment: Mapping[str, str],
        nix_timeout: int = 60,
        allowed_paths: Sequence[Path] = (),
        allowed_uris: Sequence[str] = (),
        allow_ifd: bool = False,
        nixpkgs_config: Mapping[str, Any] | None = None,
        command: str = "nixery-prepare-image",
    ) -> None:
        """``environment``: the service's, PATH, HOME and NIX_REMOTE among it; see for_nix.

        ``nix_timeout``: seconds that a single builder may take. ``allowed_paths``, ``allowed_uris``
        and ``allow_ifd`` widen what evaluation may read, download and build.
        """
        self._command = command
        self._environment = {**for_nix(environment), "NIX_TIMEOUT": str(nix_timeout)}
        self._allowed_paths = tuple(allowed_paths)
        self._allowed_uris = tuple(allowed_uris)
        self._allow_ifd = allow_ifd
        self._nixpkgs_config = dict(nixpkgs_config or {})

    async def evaluate(self, source: SourceTree, request: ImageRequest) -> tuple[Package, ...]:
        """The packages that the request names, in its order; nothing is built.

        Raises PackageNotFound, Denied or EvaluationFailed for the first name that cannot be had.
        """
        found = await self._look_up(source, request)
        packages = []
        for entry in found:
            if isinstance(entry, Refused):
                explanation = await self._explain(source, request, entry)
                system = request.architecture.system
                # Comparing with all of nixpkgs takes long enough to hold up other requests.
                raise await run_sync(lookup.verdict, entry, system, explanation)
            packages.append(entry)
        return tuple(packages)

    async def realise(self, packages: Sequence[Package], root: Path) -> None:
        """Build or substitute the outputs, kept from the garbage collector by links.

        The links are ``root``, ``root-2`` …, some with an output's name behind; the directory
        must exist. Raises BuildFailed, TimedOut, or Denied where no builder has the system.
        """
        wanted = [
            f"{package.drv_path}!{','.join(name for name, _ in package.outputs)}"
            for package in packages
        ]
        finished = await self._run("realise", str(root), *wanted)
        if finished.status != 0:
            raise failures.of_realisation(finished, packages)

    async def closure(self, paths: Sequence[StorePath]) -> Closure:
        """Everything that the paths refer to, themselves included; they must be valid."""
        finished = await self._run("closure", *paths)
        if finished.status != 0:
            raise failures.of_closure(finished)
        return await run_sync(parse_closure, finished.stdout)

    async def check(self) -> None:
        """Raises NixeryError where Nix, its store or its daemon cannot be used."""
        finished = await self._run("check")
        if finished.status != 0:
            raise failures.of_check(finished)

    async def _look_up(
        self, source: SourceTree, request: ImageRequest
    ) -> tuple[Package | Refused, ...]:
        try:
            return await self._evaluate(source, request, request.packages)
        except EvaluationFailed:
            # An abort or a type error of one name ends the evaluation of all. Who was it? First
            # the set without any name, then each name alone: one of them raises, with its name.
            await self._evaluate(source, request, ())
            alone = [await self._evaluate(source, request, (n,)) for n in request.packages]
            return tuple(entry for found in alone for entry in found)

    async def _evaluate(
        self, source: SourceTree, request: ImageRequest, names: Sequence[str]
    ) -> tuple[Package | Refused, ...]:
        finished = await self._ask(source, request, names=names)
        if finished.status != 0:
            subject = f"package {names[0]!r}" if len(names) == 1 else "the package set"
            raise failures.of_evaluation(finished, subject)
        return lookup.read(finished.stdout)

    async def _explain(self, source: SourceTree, request: ImageRequest, entry: Refused) -> str:
        """The message that the lookup swallowed (tryEval tells only that there was one)."""
        if not entry.needs_explanation:
            return ""
        finished = await self._ask(source, request, names=(), explain=entry.name)
        return finished.errors[-1].text if finished.errors else ""

    async def _ask(
        self, source: SourceTree, request: ImageRequest, **question: object
    ) -> process.Finished:
        asked = {
            # Restricted evaluation follows links before it looks whether a path is allowed.
            "set": str(source.path.resolve()),
            "system": request.architecture.system,
            "config": self._nixpkgs_config,
        }
        readable = (source.root, source.path, *self._allowed_paths)
        options = [word for path in readable for word in ("-I", f"source={path.resolve()}")]
        if self._allowed_uris:
            options += ["--option", "allowed-uris", " ".join(self._allowed_uris)]
        if self._allow_ifd:
            options += ["--option", "allow-import-from-derivation", "true"]
        return await self._run("evaluate", *options, stdin=json.dumps(asked | question).encode())

    async def _run(self, step: str, *arguments: str, stdin: bytes = b"") -> process.Finished:
        return await process.run(
            [self._command, step, *arguments],
            phase=step,
            environment=self._environment,
            stdin=stdin,
        )

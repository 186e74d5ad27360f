"""Fake of Nix, with results from dictionaries.

nix = FakeNix(tmp_path)                      # store paths appear under tmp_path/nix/store
nix.add("hello", {"bin/hello": b"#!..."}, references=[libc])
nix.failures["realise"] = BuildFailed("hello-1.0 failed to build: no")
gate = nix.hold("realise")                   # the call waits; `await gate.entered.wait()`
gate.release.set()
assert nix.steps == ["evaluate", "realise", "closure"]
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from anyio import Event

from nixery.closure import Closure, Package, PathInfo, StorePath
from nixery.errors import NixeryError, PackageNotFound
from nixery.image_name import ImageRequest
from nixery.source import SourceTree

Step = Literal["evaluate", "realise", "closure"]


@dataclass
class Gate:
    """A step that waits: ``entered`` is set when it does, ``release`` lets it continue."""

    entered: Event = field(default_factory=Event)
    release: Event = field(default_factory=Event)


class FakeNix:
    """Has the methods of nixery.nix.Nix. ``root`` corresponds to store_root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.packages: dict[str, Package] = {}
        self.infos: dict[StorePath, PathInfo] = {}
        self.failures: dict[Step, NixeryError] = {}
        self.gates: dict[Step, Gate] = {}
        self.calls: list[tuple[Step, object]] = []
        self.cancelled: list[Step] = []

    @property
    def steps(self) -> list[Step]:
        return [step for step, _ in self.calls]

    def hold(self, step: Step) -> Gate:
        return self.gates.setdefault(step, Gate())

    def add(
        self,
        name: str,
        files: Mapping[str, bytes] | None = None,
        *,
        references: Sequence[StorePath] = (),
    ) -> StorePath:
        """A package with one output, whose files exist; names under bin/ are executable."""
        files = {f"share/{name}": name.encode()} if files is None else files
        digest = hashlib.sha256(repr((name, sorted(files.items()), references)).encode())
        path = f"/nix/store/{digest.hexdigest()[:32]}-{name}"
        physical = self.root / path.removeprefix("/")
        for inside, data in files.items():
            file = physical / inside
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o555 if inside.startswith("bin/") else 0o444)
        self.packages[name] = Package(name, f"{path}.drv", (("out", path),))
        size = sum(map(len, files.values()))
        self.infos[path] = PathInfo(path, size, tuple(sorted(references)))
        return path

    async def evaluate(self, source: SourceTree, request: ImageRequest) -> tuple[Package, ...]:
        await self._enter("evaluate", (source, request))
        for name in request.packages:
            if name not in self.packages:
                raise PackageNotFound(f"package {name!r} does not exist", cause="not_found")
        return tuple(self.packages[name] for name in request.packages)

    async def realise(self, packages: Sequence[Package], root: Path) -> None:
        await self._enter("realise", (tuple(packages), root))
        root.symlink_to(packages[0].paths[0])  # noqa: ASYNC240 - fast enough for a fake

    async def closure(self, paths: Sequence[StorePath]) -> Closure:
        await self._enter("closure", tuple(paths))
        found: set[StorePath] = set()
        waiting = list(paths)
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                waiting.extend(self.infos[path].references)
        return Closure(tuple(self.infos[path] for path in sorted(found)))

    async def _enter(self, step: Step, arguments: object) -> None:
        self.calls.append((step, arguments))
        if gate := self.gates.get(step):
            gate.entered.set()
            try:
                await gate.release.wait()
            except BaseException:
                self.cancelled.append(step)
                raise
        if failure := self.failures.get(step):
            raise failure

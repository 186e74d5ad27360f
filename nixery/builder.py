"""The path of a request, from image name to stored blobs: every step, in order.

    parse → resolve → evaluate → realise → closure → group → pack → manifest → record
              │          │
              │          └── already built for these store paths? ──────► serve
              └───────────── already built for this pinned source? ─────► serve

The steps are modules that do not import each other. They exchange the values of image_name, source,
closure and oci.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import anyio
import anyio.to_thread
import structlog

from nixery import archive, layers
from nixery.assembler import Assembler
from nixery.cache import CachedImage, Caches, Recipe, StoredPlan, image_of
from nixery.closure import Closure, Package, StorePath
from nixery.concurrency.queue import QUEUE, QUEUE_TIMEOUT, Queue, WaitingLine, until
from nixery.concurrency.single_flight import Flight, SingleFlight
from nixery.errors import DerivationCollected
from nixery.host.disk_space import Disk
from nixery.image_name import ImageRequest
from nixery.lease import Leases
from nixery.manifest import Manifest
from nixery.nix.gc_roots import Roots
from nixery.oci import Format
from nixery.source import PackageSource, ResolvedSource, SourceTree
from nixery.storage import Storage

log = structlog.get_logger()


class NixStore(Protocol):
    """The Nix operations that the builder needs. ``nixery.nix.Nix`` lists the errors."""

    async def evaluate(self, source: SourceTree, request: ImageRequest) -> tuple[Package, ...]: ...

    async def realise(self, packages: Sequence[Package], root: Path) -> None: ...

    async def closure(self, paths: Sequence[StorePath]) -> Closure: ...


class TableSource(Protocol):
    """The planning tables that the builder needs, implemented by ``nixery.planning``."""

    def current(self) -> tuple[layers.Tables, Mapping[str, str]]: ...

    def record(self, made: CachedImage, packages: Sequence[Package], closure: Closure) -> None: ...


Where = Literal["local", "storage", "none"]
"""Where the image was found; ``none``: it was built for this request."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image whose blobs and manifests are all in the storage."""

    source: ResolvedSource
    manifests: Mapping[Format, Manifest]
    cache: Where = "none"


@dataclass(frozen=True, slots=True)
class BuildLimits:
    builds: int
    """Images prepared at the same time, and evaluations at the same time."""
    pack_workers: int
    """Layers packed at the same time."""
    layering: layers.Strategy
    """The layering strategy."""
    layer_budget: int
    """Layers of store paths per image, in addition to the environment layer."""
    queue: int = QUEUE
    """Images that may wait for their turn; more are refused."""
    patience: float = QUEUE_TIMEOUT
    """Seconds that an image may wait for its turn."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An image that is not built yet."""

    key: str
    """Of the outputs."""
    source: ResolvedSource
    request: ImageRequest
    packages: tuple[Package, ...]


class Builder:
    def __init__(  # noqa: PLR0913 - one for each part
        self,
        *,
        source: PackageSource,
        nix: NixStore,
        storage: Storage,
        packer: archive.Packer,
        roots: Roots,
        caches: Caches,
        tables: TableSource,
        leases: Leases,
        disk: Disk,
        recipe: Recipe,
        limits: BuildLimits,
    ) -> None:
        self._source = source
        self._nix = nix
        self._roots = roots
        self._caches = caches
        self._tables = tables
        self._leases = leases
        self._disk = disk
        self._recipe = recipe
        self._limits = limits
        self._builds: SingleFlight[CachedImage] = SingleFlight()
        self._line = WaitingLine(limits.queue)
        self._building = Queue(limits.builds, self._line, limits.patience)
        # A limit apart from the builds: images that are already built must not wait for builds.
        self._evaluating = Queue(limits.builds, self._line, limits.patience, "evaluated")
        self._assembler = Assembler(storage, packer, caches.layers, limits.pack_workers)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Builder"]:
        """Leaving the block cancels all builds and ends their processes."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._roots.opened())
            await stack.enter_async_context(self._builds)
            yield self

    async def cancel(self) -> None:
        """Cancels all builds and ends their processes; callers get ShuttingDown."""
        await self._builds.cancel()

    async def image(self, request: ImageRequest, tag: str, deadline: float) -> Image:
        """The image, found or built before ``deadline``, a time of anyio's clock.

        Raises TimeoutError, TooBusy if too many images wait, and the other errors of nixery.errors.
        """
        known = self._caches.images
        with until(deadline):
            source = await self._source.resolve(tag)
            by_source = self._recipe.source_key(source, request)
            if by_source and (found := await known.find(by_source)):
                return Image(source, found[0].manifests, found[1])
            if remembered := self._caches.evaluations.get(
                source.identity, request.architecture, request.packages
            ):
                by_outputs = self._recipe.outputs_key(remembered, request)
                if found := await known.find(by_outputs):
                    return await self._answered(by_source, source, *found)
            # From here on the image is new, so it is refused if too many wait.
            self._line.admit()
            # Evaluates even if the outputs are known: it writes the derivations that the build
            # needs.
            packages = await self._evaluate(source, request)
            by_outputs = self._recipe.outputs_key(packages, request)
            if found := await known.find(by_outputs, is_admitted=True):
                return await self._answered(by_source, source, *found)
        made = await self._built(_Wanted(by_outputs, source, request, packages), deadline)
        return await self._answered(by_source, source, made, "none")

    async def _built(self, wanted: _Wanted, deadline: float) -> CachedImage:
        """Once for all callers, whatever their tag, even if the first caller left."""
        while True:
            build = partial(self._build, wanted=wanted, deadline=deadline)
            shared = self._builds.is_running(wanted.key)
            try:
                return await self._builds.run(wanted.key, build)
            except TimeoutError:
                # The deadline was that of the first caller; what was done so far is kept.
                if not shared or anyio.current_time() >= deadline:
                    raise

    async def _build(
        self, flight: Flight[CachedImage], wanted: _Wanted, deadline: float
    ) -> CachedImage:
        """Waits for its turn. One replica builds at a time; the others wait for its manifest."""
        while True:
            async with self._building.turn(), self._disk.with_room():
                if found := await self._caches.images.find(wanted.key, is_admitted=True):
                    return found[0]
                if lease := await self._leases.take(wanted.key):
                    # From here on the build is worth finishing, even if the client leaves.
                    flight.commit()
                    with until(deadline):
                        async with self._leases.kept(lease):
                            return await self._make(wanted)
            with until(deadline), self._line.waiting():
                await self._leases.pause()

    async def _make(self, wanted: _Wanted) -> CachedImage:
        packages = wanted.packages
        with self._roots.reserve() as root:
            try:
                await self._nix.realise(packages, root)
            except DerivationCollected:
                # Derivations of an image that waits for its turn are not rooted.
                packages = await self._evaluate(wanted.source, wanted.request)
                await self._nix.realise(packages, root)
            closure = await self._nix.closure([path for p in packages for path in p.paths])
            plan = await anyio.to_thread.run_sync(self._plan, wanted.key, closure)
            packed = await self._assembler.pack(plan.layers, packages, wanted.request)
        manifests = await self._assembler.describe(packed, wanted.request, packages, plan.layers)
        made = image_of(manifests, wanted.key)
        await self._caches.images.store(wanted.key, made)
        self._tables.record(made, packages, closure)
        log.info(
            "image built",
            paths=len(closure.paths),
            closure_bytes=closure.size,
            layers=len(packed),
            layer_bytes=sum(layer.size for layer in packed),
        )
        return made

    async def _evaluate(self, source: ResolvedSource, request: ImageRequest) -> tuple[Package, ...]:
        async with self._evaluating.turn():
            tree = await self._source.read(source)
            packages = await self._nix.evaluate(tree, request)
        self._caches.evaluations.put(source.identity, request.architecture, packages)
        return packages

    def _plan(self, key: str, closure: Closure) -> StoredPlan:
        """The plan recorded for this image, so that its digest stays, or else a new one."""
        if planned := self._caches.plans.find(key, closure):
            return planned
        tables, versions = self._tables.current()
        grouped = layers.group(closure, tables, self._limits.layer_budget, self._limits.layering)
        plan = StoredPlan(tuple(layer.paths for layer in grouped.layers), versions)
        return self._caches.plans.agree(key, plan, closure)

    async def _answered(
        self, by_source: str | None, source: ResolvedSource, found: CachedImage, where: Where
    ) -> Image:
        if by_source:
            await self._caches.images.store_also(by_source, found)
        return Image(source, found.manifests, where)

"""The way of a request, from an image name to stored bytes. Every step is named here, in order.

    parse → resolve → evaluate → realise → closure → group → pack → manifest → keep
              │          │
              │          └── made before of the same outputs, whatever they were called? ──► serve
              └───────────── made before of this pinned source? ──────────────────────────► serve

The steps are modules that do not know each other; what they hand on are the values of
image, source, closure and oci.
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
    """What the builder asks of Nix; ``nixery.nix.Nix`` is the real one, and says what it raises."""

    async def evaluate(self, source: SourceTree, request: ImageRequest) -> tuple[Package, ...]: ...

    async def realise(self, packages: Sequence[Package], root: Path) -> None: ...

    async def closure(self, paths: Sequence[StorePath]) -> Closure: ...


class TableSource(Protocol):
    """What plans are made with; ``nixery.planning`` has the real ones."""

    def current(self) -> tuple[layers.Tables, Mapping[str, str]]: ...

    def record(self, made: CachedImage, packages: Sequence[Package], closure: Closure) -> None: ...


Where = Literal["local", "storage", "none"]
"""An image was found; none: it was made for this request."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image whose blobs and manifests are all in the storage."""

    source: ResolvedSource
    manifests: Mapping[Format, Manifest]
    cache: Where = "none"


@dataclass(frozen=True, slots=True)
class BuildLimits:
    builds: int
    """Images prepared at the same time, and as many evaluated."""
    pack_workers: int
    """Layers packed at the same time."""
    layering: layers.Strategy
    """How store paths become layers."""
    layer_budget: int
    """Layers of store paths in an image; the environment layer comes on top."""
    queue: int = QUEUE
    """Images that wait for their turn; more are refused."""
    patience: float = QUEUE_TIMEOUT
    """Seconds that an image waits for its turn."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An image that nobody has made yet."""

    key: str
    """Of its outputs."""
    source: ResolvedSource
    request: ImageRequest
    packages: tuple[Package, ...]


class Builder:
    def __init__(  # noqa: PLR0913 - the one place where all rooms meet
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
        # Apart from the builds: what is built already may be found again while others build.
        self._evaluating = Queue(limits.builds, self._line, limits.patience, "evaluated")
        self._assembler = Assembler(storage, packer, caches.layers, limits.pack_workers)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Builder"]:
        """Work that is under way when the block is left is cancelled, its processes ended."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._roots.opened())
            await stack.enter_async_context(self._builds)
            yield self

    async def cancel(self) -> None:
        """Ends all builds and their processes; whoever waits for one gets ShuttingDown."""
        await self._builds.cancel()

    async def image(self, request: ImageRequest, tag: str, deadline: float) -> Image:
        """The image, found or made, if it can be before ``deadline`` of anyio's clock.

        Raises TimeoutError, and the errors of nixery.errors with what the client is to be told:
        TooBusy where too many images wait.
        """
        known = self._caches.images
        with until(deadline):
            source = await self._source.resolve(tag)
            by_source = self._recipe.source_key(source, request)
            if by_source and (found := await known.find(by_source)):
                return Image(source, found[0].manifests, found[1])
            if remembered := self._caches.evaluations.recall(
                source.identity, request.architecture, request.packages
            ):
                by_outputs = self._recipe.outputs_key(remembered, request)
                if found := await known.find(by_outputs):
                    return await self._answered(by_source, source, *found)
            # From here on it is a new image: those are refused where too many wait.
            self._line.admit()
            # Also where the outputs are known: it writes the derivations that building needs.
            packages = await self._evaluate(source, request)
            by_outputs = self._recipe.outputs_key(packages, request)
            if found := await known.find(by_outputs, is_admitted=True):
                return await self._answered(by_source, source, *found)
        made = await self._built(_Wanted(by_outputs, source, request, packages), deadline)
        return await self._answered(by_source, source, made, "none")

    async def _built(self, wanted: _Wanted, deadline: float) -> CachedImage:
        """Once for all who want it: of another tag, or after somebody who left."""
        while True:
            build = partial(self._build, wanted=wanted, deadline=deadline)
            shared = self._builds.is_running(wanted.key)
            try:
                return await self._builds.run(wanted.key, build)
            except TimeoutError:
                # The deadline was that of whoever began; what was done until then is kept.
                if not shared or anyio.current_time() >= deadline:
                    raise

    async def _build(
        self, flight: Flight[CachedImage], wanted: _Wanted, deadline: float
    ) -> CachedImage:
        """In turn, and by one replica at a time; the others wait for its manifest."""
        while True:
            async with self._building.turn(), self._disk.with_room():
                if found := await self._caches.images.find(wanted.key, is_admitted=True):
                    return found[0]
                if lease := await self._leases.take(wanted.key):
                    # From here on it is worth finishing, also when the client gives up.
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
                # Nothing roots derivations while their image waits its turn.
                packages = await self._evaluate(wanted.source, wanted.request)
                await self._nix.realise(packages, root)
            closure = await self._nix.closure([path for p in packages for path in p.paths])
            plan = await anyio.to_thread.run_sync(self._plan, wanted.key, closure)
            packed = await self._assembler.pack(plan.layers, packages)
        made = image_of(await self._assembler.describe(packed, wanted.request), wanted.key)
        await self._caches.images.keep(wanted.key, made)
        self._tables.record(made, packages, closure)
        log.info(
            "image made",
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
        self._caches.evaluations.remember(source.identity, request.architecture, packages)
        return packages

    def _plan(self, key: str, closure: Closure) -> StoredPlan:
        """The plan of the image's first time, so that its digest stays; else a new one."""
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
            await self._caches.images.keep_also(by_source, found)
        return Image(source, found.manifests, where)

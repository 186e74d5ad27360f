"""The way of a request, from an image name to stored bytes. Every step is named here, in order.

    parse → resolve → evaluate → realise → closure → group → pack → manifest → keep

The steps are modules that do not know each other; what they hand on are the values of
image, source, closure and oci.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread
import structlog

from nixery import archive, image, layers, manifest
from nixery.cache import Failures, LayerCache
from nixery.cache.keys import by_content
from nixery.closure import Closure, Package, StorePath
from nixery.errors import NixeryError, TimedOut
from nixery.flight import Flights
from nixery.image import ImageRequest
from nixery.manifest import Manifest
from nixery.oci import Format, PackedLayer
from nixery.roots import Roots
from nixery.source import PackageSource, ResolvedSource
from nixery.storage import Storage, put
from nixery.threads import map_in_threads

log = structlog.get_logger()


class Nix(Protocol):
    """What the builder asks of Nix; ``nixery.nix.Nix`` is the real one, and says what it raises."""

    async def evaluate(
        self, source: ResolvedSource, request: ImageRequest
    ) -> tuple[Package, ...]: ...

    async def realise(self, packages: Sequence[Package], root: Path) -> None: ...

    async def closure(self, paths: Sequence[StorePath]) -> Closure: ...


@dataclass(frozen=True, slots=True)
class Image:
    """An image whose blobs and manifests are all in the storage."""

    source: ResolvedSource
    manifests: Mapping[Format, Manifest]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is done at once, and for how long."""

    request_timeout: float
    """Seconds from the client's question to the last stored blob."""
    builds: int
    """Images prepared at the same time."""
    pack_workers: int
    """Layers packed at the same time."""
    layer_budget: int
    """Layers of store paths in an image; the environment layer comes on top."""


class Builder:
    def __init__(  # noqa: PLR0913 - the one place where all rooms meet
        self,
        *,
        source: PackageSource,
        nix: Nix,
        storage: Storage,
        packer: archive.Packer,
        roots: Roots,
        failures: Failures,
        limits: Limits,
    ) -> None:
        self._source = source
        self._nix = nix
        self._storage = storage
        self._packer = packer
        self._roots = roots
        self._failures = failures
        self._limits = limits
        self._layers = LayerCache(storage)
        self._flights: Flights[Image] = Flights()
        self._builds = anyio.CapacityLimiter(limits.builds)
        self._packing = anyio.CapacityLimiter(limits.pack_workers)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Builder"]:
        """Work that is under way when the block is left is cancelled, its processes ended."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._roots.opened())
            await stack.enter_async_context(self._flights)
            yield self

    async def image(self, name: str, tag: str) -> Image:
        """Raises the errors of nixery.errors, each with what the client is to be told."""
        request, tag = image.parse(name), image.parse_tag(tag)
        key = (request, tag)
        if failure := self._failures.recall(key):
            raise failure
        return await self._flights.run(key, lambda _: self._prepare(name, request, tag))

    async def _prepare(self, name: str, request: ImageRequest, tag: str) -> Image:
        structlog.contextvars.bind_contextvars(image=name, tag=tag)
        try:
            with anyio.fail_after(self._limits.request_timeout):
                async with self._builds:
                    return await self._make(request, tag)
        except TimeoutError:
            failure: NixeryError = TimedOut(
                f"{name} was not ready after {self._limits.request_timeout:g} seconds; "
                "what was built so far is kept, so pulling again continues from there",
                cause="request_timeout",
            )
        except NixeryError as error:
            failure = error
        log.warning("image failed", error=failure.message, cause=failure.cause)
        self._failures.remember((request, tag), failure)
        raise failure

    async def _make(self, request: ImageRequest, tag: str) -> Image:
        source = await self._source.resolve(tag)
        packages = await self._nix.evaluate(source, request)
        with self._roots.reserve() as root:
            await self._nix.realise(packages, root)
            closure = await self._nix.closure([path for p in packages for path in p.paths])
            plan = layers.group(closure, self._limits.layer_budget)
            packed = await self._pack(plan, packages)
        manifests = await anyio.to_thread.run_sync(self._keep, packed, request)
        log.info(
            "image made",
            revision=source.revision,
            paths=len(closure.paths),
            closure_bytes=closure.size,
            layers=len(packed),
            layer_bytes=sum(layer.size for layer in packed),
        )
        return Image(source, manifests)

    async def _pack(
        self, plan: layers.LayerPlan, packages: Sequence[Package]
    ) -> tuple[PackedLayer, ...]:
        """The plan's layers in its order, then the environment layer, several at once."""
        contents: list[archive.Content] = [archive.StorePaths(layer.paths) for layer in plan.layers]
        contents.append(archive.Environment(tuple(package.paths for package in packages)))
        return await map_in_threads(self._pack_one, contents, self._packing)

    def _pack_one(self, content: archive.Content) -> PackedLayer:
        key = by_content("layer", self._packer.describe(content))
        layer = self._layers.find(key)
        if layer is None:
            layer = self._packer.pack(content, self._storage)
            self._layers.keep(key, layer)
        return layer

    def _keep(self, packed: Sequence[PackedLayer], request: ImageRequest) -> dict[Format, Manifest]:
        """Blobs first: a manifest that can be had refers to nothing that is not durable."""
        config = manifest.config(packed, request)
        put(self._storage, config)
        manifests = {form: manifest.build(packed, config, form) for form in Format}
        for made in manifests.values():
            put(self._storage, made.data)
        return manifests

"""Assembler: turns a plan into layers, config and manifests, and stores them.

It decides the order of the layers: those of the plan, then the environment layer of the image.
"""

from collections.abc import Mapping, Sequence

import anyio
import anyio.to_thread

from nixery import archive, manifest
from nixery.cache import LayerCache, keys
from nixery.closure import Package, StorePath
from nixery.concurrency.threads import map_in_threads
from nixery.image_name import ImageRequest
from nixery.manifest import Manifest
from nixery.oci import Format, PackedLayer
from nixery.storage import Storage, put


class Assembler:
    def __init__(
        self, storage: Storage, packer: archive.Packer, known: LayerCache, at_once: int
    ) -> None:
        """``known``: the cache of packed layers.

        ``at_once``: layers packed at once, for all images.
        """
        self._storage = storage
        self._packer = packer
        self._known = known
        self._packing = anyio.CapacityLimiter(at_once)

    async def pack(
        self,
        planned: Sequence[tuple[StorePath, ...]],
        packages: Sequence[Package],
        request: ImageRequest,
    ) -> tuple[PackedLayer, ...]:
        """The layers of these store paths, and the environment layer of the packages.

        ``planned`` covers all store paths of the image. Raises StoreDamaged if a path is missing or
        changes, PackingFailed if an image cannot hold it, and the errors of the storage.
        """
        contents: list[archive.LayerContent] = [archive.StorePaths(paths) for paths in planned]
        closure = frozenset(path for paths in planned for path in paths)
        outputs = tuple(package.paths for package in packages)
        contents.append(archive.Environment(outputs, closure, request.nonroot))
        return await map_in_threads(self._pack_one, contents, self._packing)

    async def describe(
        self,
        packed: Sequence[PackedLayer],
        request: ImageRequest,
        packages: Sequence[Package],
        planned: Sequence[tuple[StorePath, ...]],
    ) -> Mapping[Format, Manifest]:
        """Stores the config of the layers that ``pack`` returned, then the manifests."""
        config = manifest.config(packed, request, packages, planned)
        return await anyio.to_thread.run_sync(self._store, packed, config)

    def _pack_one(self, content: archive.LayerContent) -> PackedLayer:
        key = keys.by_content("layer", self._packer.describe(content))
        layer = self._known.find(key)
        if layer is None:
            layer = self._packer.pack(content, self._storage)
            self._known.store(key, layer)
        return layer

    def _store(self, packed: Sequence[PackedLayer], config: bytes) -> Mapping[Format, Manifest]:
        """Stores blobs first: a manifest must not refer to a blob that is not durable."""
        put(self._storage, config)
        manifests = manifest.in_all_formats(packed, config)
        for made in manifests.values():
            put(self._storage, made.data)
        return manifests

"""A plan becomes an image: layers packed or found, then config and manifests; all of it stored.

The order of the layers is decided here: those of the plan as they are, and last the one that is
the image's own.
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
        """``known``: layers that need not be packed. ``at_once``: how many are, for all images."""
        self._storage = storage
        self._packer = packer
        self._known = known
        self._packing = anyio.CapacityLimiter(at_once)

    async def pack(
        self, planned: Sequence[tuple[StorePath, ...]], packages: Sequence[Package]
    ) -> tuple[PackedLayer, ...]:
        """The layers of these store paths, and the environment layer of the packages.

        ``planned`` are all store paths of the image. Raises StoreDamaged where a path is missing
        or changes, PackingFailed where no image can hold it, and what the storage raises.
        """
        contents: list[archive.LayerContent] = [archive.StorePaths(paths) for paths in planned]
        closure = frozenset(path for paths in planned for path in paths)
        contents.append(archive.Environment(tuple(package.paths for package in packages), closure))
        return await map_in_threads(self._pack_one, contents, self._packing)

    async def describe(
        self, packed: Sequence[PackedLayer], request: ImageRequest
    ) -> Mapping[Format, Manifest]:
        """The manifests of these layers, stored with the config that they name."""
        return await anyio.to_thread.run_sync(self._describe, packed, request)

    def _pack_one(self, content: archive.LayerContent) -> PackedLayer:
        key = keys.by_content("layer", self._packer.describe(content))
        layer = self._known.find(key)
        if layer is None:
            layer = self._packer.pack(content, self._storage)
            self._known.keep(key, layer)
        return layer

    def _describe(
        self, packed: Sequence[PackedLayer], request: ImageRequest
    ) -> Mapping[Format, Manifest]:
        """Blobs first: a manifest that can be had refers to nothing that is not durable."""
        config = manifest.config(packed, request)
        put(self._storage, config)
        manifests = manifest.in_all_formats(packed, config)
        for made in manifests.values():
            put(self._storage, made.data)
        return manifests

"""Packer: packing with fixed options, for the builder."""

from dataclasses import dataclass
from pathlib import Path

from nixery.archive.compress import Compression
from nixery.archive.layer import pack, pack_environment
from nixery.archive.workers import Workers
from nixery.closure import StorePath
from nixery.oci import PackedLayer
from nixery.storage import Storage

LAYER_FORMAT = 1
"""Incremented whenever the same store paths would give other bytes than before."""
ENVIRONMENT_FORMAT = 3
"""The same for environment layers: 1 followed links to store paths outside of the image, 2 linked
/etc/passwd and had fewer real directories."""


@dataclass(frozen=True, slots=True)
class StorePaths:
    """A layer of these store paths; order and duplicates do not matter."""

    paths: tuple[StorePath, ...]


@dataclass(frozen=True, slots=True)
class Environment:
    """The layer that links the requested packages into the image's root."""

    packages: tuple[tuple[StorePath, ...], ...]
    """The output paths of each package; if two provide the same name, the first wins."""
    closure: frozenset[StorePath]
    """All store paths of the image."""
    nonroot: bool = False
    """With a user of that name."""


LayerContent = StorePaths | Environment


@dataclass(frozen=True, slots=True)
class Packer:
    """Thread-safe."""

    store_root: Path
    """Location of the store's files: ``/``, or the directory of a chroot store."""
    compression: Compression
    workers: Workers | None = None
    """Compress the blocks of all layers; if None, the calling thread does."""
    scratch: Path | None = None
    """Directory for lists that do not fit in memory; None: the system's temporary directory."""

    def pack(self, content: LayerContent, storage: Storage) -> PackedLayer:
        """Stores the layer. Blocks.

        Raises StoreDamaged if a path is missing or changes, PackingFailed if an image cannot hold
        it, StorageFull if there is no space.
        """
        root, compression, workers = self.store_root, self.compression, self.workers
        match content:
            case StorePaths(paths):
                return pack(paths, root, storage, compression, workers, self.scratch)
            case Environment(packages, closure, nonroot):
                return pack_environment(
                    packages, closure, root, storage, compression, workers, nonroot=nonroot
                )

    def describe(self, content: LayerContent) -> dict[str, object]:
        """JSON values that decide the layer's bytes."""
        match content:
            case StorePaths(paths):
                what: dict[str, object] = {"paths": sorted(set(paths)), "format": LAYER_FORMAT}
            case Environment(packages, _, nonroot):
                # The closure follows from the outputs.
                outputs = [path for paths in packages for path in paths]
                what = {"environment": outputs, "format": ENVIRONMENT_FORMAT, "nonroot": nonroot}
        return what | {"compression": self.compression.key}

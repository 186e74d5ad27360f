"""What the builder holds: how layers are packed, decided once."""

from dataclasses import dataclass
from pathlib import Path

from nixery.archive.compress import Compression
from nixery.archive.layer import pack, pack_environment
from nixery.archive.workers import Workers
from nixery.closure import StorePath
from nixery.oci import PackedLayer
from nixery.storage import Storage

LAYER_FORMAT = 1
"""Goes up whenever the same store paths would give other bytes than before."""
ENVIRONMENT_FORMAT = 2
"""The same for environment layers: 1 followed links to store paths that are not in the image."""


@dataclass(frozen=True, slots=True)
class StorePaths:
    """A layer of these store paths; order and repetition do not matter."""

    paths: tuple[StorePath, ...]


@dataclass(frozen=True, slots=True)
class Environment:
    """The layer that links the requested packages into the image's root."""

    packages: tuple[tuple[StorePath, ...], ...]
    """The output paths of each package; of two that provide the same name, the first wins."""
    closure: frozenset[StorePath]
    """All store paths of the image."""


LayerContent = StorePaths | Environment


@dataclass(frozen=True, slots=True)
class Packer:
    """Used by several threads at once."""

    store_root: Path
    """Where the store's files physically lie: ``/``, or the directory of a chroot store."""
    compression: Compression
    workers: Workers | None = None
    """Compress for every layer being packed; without, the calling thread does it alone."""
    scratch: Path | None = None
    """Where lists wait that are too long for memory; None: the system's place for such."""

    def pack(self, content: LayerContent, storage: Storage) -> PackedLayer:
        """The stored layer. Blocks.

        Raises StoreDamaged where a path is missing or changes, PackingFailed where no image can
        hold it, StorageFull where there is no room.
        """
        root, compression, workers = self.store_root, self.compression, self.workers
        match content:
            case StorePaths(paths):
                return pack(paths, root, storage, compression, workers, self.scratch)
            case Environment(packages, closure):
                return pack_environment(packages, closure, root, storage, compression, workers)

    def describe(self, content: LayerContent) -> dict[str, object]:
        """JSON values that decide the layer's bytes."""
        match content:
            case StorePaths(paths):
                what: dict[str, object] = {"paths": sorted(set(paths)), "format": LAYER_FORMAT}
            case Environment(packages):
                # The closure follows from the outputs.
                outputs = [path for paths in packages for path in paths]
                what = {"environment": outputs, "format": ENVIRONMENT_FORMAT}
        return what | {"compression": self.compression.key}

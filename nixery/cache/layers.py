"""Cache of packed layers: ``builds/<key>``, by store paths.

An entry that does not parse, or whose blob is missing or has another size, is a miss: the layer is
packed again.
"""

from nixery import records
from nixery.cache.recent import Recent
from nixery.oci import PackedLayer, canonical_json
from nixery.records import digest, member, members, natural
from nixery.storage import Storage, layer_key, renew

MAX_LAYERS = 20_000
"""Entries in memory, about 300 bytes each: the layers of some hundred images."""


class LayerCache:
    """Memory, then storage. Blocks; used by several threads."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._memory: Recent[str, PackedLayer] = Recent(MAX_LAYERS)

    def find(self, key: str) -> PackedLayer | None:
        """The layer, if its blob still exists.

        Touches the blob, so that gc does not delete it.
        """
        layer = self._memory.get(key) or self._stored(key)
        if layer is None:
            return None
        blob = self._storage.stat(layer_key(layer.digest))
        if blob is None or blob.size != layer.size or renew(self._storage, blob) is None:
            self._memory.drop(key)
            return None
        self._memory.put(key, layer)
        return layer

    def store(self, key: str, layer: PackedLayer) -> None:
        """Stores the entry. The layer's blob must be durable."""
        entry = {
            "digest": layer.digest,
            "diffID": layer.diff_id,
            "size": layer.size,
            "compression": layer.compression,
        }
        self._storage.write(f"builds/{key}", canonical_json(entry))
        self._memory.put(key, layer)

    def _stored(self, key: str) -> PackedLayer | None:
        found = self._storage.read(f"builds/{key}")
        return parse(found.data) if found else None


def parse(data: bytes) -> PackedLayer | None:
    """The content of an entry; None for anything else, such as the Go server's entries."""
    return records.read(data, _layer)


def _layer(record: object) -> PackedLayer:
    # The first entries do not name their compression: there was only gzip.
    match members(record).get("compression", "gzip"):
        case "gzip" | "zstd" | "none" as compression:
            return PackedLayer(
                digest(member(record, "digest")),
                digest(member(record, "diffID")),
                natural(member(record, "size")),
                compression,
            )
    raise records.Malformed("unknown compression")

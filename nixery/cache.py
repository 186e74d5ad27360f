"""What is not done twice: packing the same store paths, and failing at the same request.

A layer's key is the hash of everything that decides its bytes, as canonical JSON; see
``LAYER_FORMAT``. Entries that do not parse, or whose blob is gone or has another size, are a
miss and never an error: the layer is packed again.
"""

import hashlib
import json
from collections.abc import Callable, Hashable, Mapping

from nixery.errors import NixeryError
from nixery.oci import PackedLayer, canonical_json, parse_digest
from nixery.storage import Storage

LAYER_FORMAT = 1
"""Goes up whenever the same store paths would give other bytes than before."""


def layer_key(content: Mapping[str, object]) -> str:
    """``builds/<sha256>`` for what goes into a layer and how it is packed (JSON values)."""
    return "builds/" + hashlib.sha256(canonical_json([LAYER_FORMAT, content])).hexdigest()


class LayerCache:
    """Which blob packing gave; blocks, like the storage it asks."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def find(self, key: str) -> PackedLayer | None:
        found = self._storage.read(key)
        layer = _parse(found.data) if found else None
        if layer is None:
            return None
        blob = self._storage.locate(layer.digest)
        return layer if blob is not None and blob.size == layer.size else None

    def keep(self, key: str, layer: PackedLayer) -> None:
        """Only for a layer whose blob is durable."""
        entry = {"digest": layer.digest, "diffID": layer.diff_id, "size": layer.size}
        self._storage.write(key, canonical_json(entry))


def _parse(data: bytes) -> PackedLayer | None:
    try:
        match json.loads(data):
            case {"digest": str(digest), "diffID": str(diff_id), "size": int(size)}:
                return PackedLayer(parse_digest(digest), parse_digest(diff_id), size)
    except (ValueError, NixeryError):
        pass
    return None


class Failures:
    """Answers a request that failed a moment ago without another attempt.

    Docker asks with HEAD and then with GET, and people ask again at once: a failure costs one
    run of Nix for all of them. How long one is remembered is the error's own (``remembered``).
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock``: seconds, monotonic."""
        self._clock = clock
        self._failures: dict[Hashable, tuple[float, NixeryError]] = {}

    def recall(self, key: Hashable) -> NixeryError | None:
        self._forget()
        entry = self._failures.get(key)
        return entry[1] if entry else None

    def remember(self, key: Hashable, error: NixeryError) -> None:
        if error.remembered is not None:
            self._failures[key] = (self._clock() + error.remembered, error)

    def _forget(self) -> None:
        now = self._clock()
        for key in [key for key, (until, _) in self._failures.items() if until <= now]:
            del self._failures[key]

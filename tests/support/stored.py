"""Images in a storage, with everything that a server stores, made of a few bytes.

stored = Stored(storage)
git = stored.image("git", b"libc", b"git")      blobs, builds/, plan, entries, no mark
stored.go_image(b"old layer")                   as the Go server left it
stored.complaints()                             dangling references; empty
"""

import hashlib
import json
from collections.abc import Iterator, Sequence

from nixery import manifest
from nixery.cache.layers import LayerCache
from nixery.cache.manifests import CachedImage, decode, encode, image_of
from nixery.cache.plans import Plans, StoredPlan
from nixery.closure import Closure, PathInfo
from nixery.gc.survey import references
from nixery.image_name import parse
from nixery.last_pulled import mark_key
from nixery.oci import Digest, Format, PackedLayer, digest_of, hexdigits
from nixery.storage import Storage, layer_key, put

HOUR = 3600
DAY = 24 * HOUR


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Stored:
    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def image(self, name: str, *layers: bytes, tables: dict[str, str] | None = None) -> CachedImage:
        *_, made = self.build(name, layers, tables)
        return made

    def build(
        self, name: str, layers: Sequence[bytes], tables: dict[str, str] | None = None
    ) -> Iterator[CachedImage]:
        """The builder's steps in order, by a process without caches.

        Yields the image after each key that it was stored under.
        """
        cache, plans, key = LayerCache(self.storage), Plans(self.storage), sha(f"outputs {name}")
        paths = tuple(sorted(f"/nix/store/{sha(data.decode())[:32]}-x" for data in layers))
        closure = Closure(tuple(PathInfo(path, 1, ()) for path in paths))
        plan = StoredPlan(tuple((path,) for path in paths), tables or {})
        _ = plans.find(key, closure) or plans.agree(key, plan, closure)
        packed = []
        for data in layers:
            build = sha(f"build {data!r}")
            layer = cache.find(build)
            if layer is None:
                layer = PackedLayer(
                    put(self.storage, data).digest, digest_of(data), len(data), "gzip"
                )
                cache.store(build, layer)
            packed.append(layer)
        config = manifest.config(packed, parse(name), (), [()] * (len(packed) - 1))
        put(self.storage, config)
        manifests = manifest.in_all_formats(packed, config)
        for made in manifests.values():
            put(self.storage, made.data)
        image = image_of(manifests, key)
        for kept in (key, sha(f"source {name}")):
            self.storage.write(f"manifests/{kept}", encode(image))
            yield image

    def go_image(self, *layers: bytes, entry: bool = True) -> Digest:
        """The manifest's digest. ``entry``: whether the Go server still has it in manifests/."""
        config = json.dumps({"architecture": "amd64", "layers of": repr(layers)}).encode()
        docker = Format.DOCKER.value

        def described(media_type: str, data: bytes) -> dict[str, object]:
            digest = put(self.storage, data).digest
            return {"mediaType": media_type, "size": len(data), "digest": digest}

        made = {
            "schemaVersion": 2,
            "mediaType": docker.manifest,
            "config": described(docker.config, config),
            "layers": [described(docker.layers["gzip"], data) for data in layers],
        }
        data = json.dumps(made, separators=(",", ":")).encode()
        if entry:
            self.storage.write(f"manifests/{hashlib.sha1(data).hexdigest()}", data)
        return put(self.storage, data).digest

    def pull(self, image: CachedImage) -> None:
        digest = image.manifests[Format.OCI].digest
        self.storage.write(mark_key(digest), b"today")

    def is_there(self, image: CachedImage) -> bool:
        """Whether it can be pulled from the caches."""
        return all(self.storage.stat(layer_key(blob.digest)) for blob in image.blobs)

    def names(self) -> set[str]:
        prefixes = ("layers", "builds", "manifests", "plans", "tables", "pulled", "leases")
        more = ("staging", "quarantine")
        return {found.key for name in (*prefixes, *more) for found in self.storage.list(f"{name}/")}

    def complaints(self) -> list[str]:
        """Dangling references: of entries, and of manifests among the blobs."""
        there = {stat.key for stat in self.storage.list("layers/")}
        said = []
        for prefix in ("manifests/", "layers/"):
            for stat in self.storage.list(prefix):
                data = self.storage.read(stat.key).data
                image = decode(data)
                refs = {blob.digest for blob in image.blobs} if image else references(data) or ()
                lost = [hexdigits(ref)[:8] for ref in refs if layer_key(ref) not in there]
                if lost:
                    said.append(f"{stat.key} names {lost}")
        return said

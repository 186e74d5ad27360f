"""OCI vocabulary: digests, media types, descriptors, manifest formats.

Sources: https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md and
https://github.com/opencontainers/image-spec/blob/v1.1.0/canonicalization.md
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NewType

from nixery.errors import DigestInvalid

Digest = NewType("Digest", str)
"""``sha256:`` and 64 lower-case hex digits."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

WHITEOUT = b".wh."
"""Prefix of whiteouts: such a name in a layer hides a file of a lower layer.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md#whiteouts"""


def parse_digest(text: str) -> Digest:
    """Raises DigestInvalid for anything but a sha256 digest, the only kind in this registry."""
    if not _DIGEST.fullmatch(text):
        raise DigestInvalid(f"{text[:100]!r} is not a digest: expected sha256: and 64 hex digits")
    return Digest(text)


def digest_of(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def hexdigits(digest: Digest) -> str:
    """The 64 hex digits, which name the blob in the storage."""
    return digest.removeprefix("sha256:")


def canonical_json(value: object) -> bytes:
    """The canonical encoding of a value: sorted keys, no white space, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A manifest's description of a blob."""

    media_type: str
    digest: Digest
    size: int

    def as_json(self) -> dict[str, object]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


LayerCompression = Literal["gzip", "zstd", "none"]
COMPRESSION_LEVELS: Mapping[LayerCompression, range] = {
    "gzip": range(1, 13),
    "zstd": range(1, 20),
    "none": range(0),
}
"""The valid levels. zstd's levels from 20 on only extend the window beyond the size of a block."""


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """A stored layer. Both manifest formats use the same blob."""

    digest: Digest
    """Digest of the compressed blob, which clients download."""
    diff_id: Digest
    """Digest of the tar inside, which the config lists."""
    size: int
    """Bytes of the compressed blob."""
    compression: LayerCompression
    """How this blob is compressed, whatever the server is configured to use now."""


@dataclass(frozen=True, slots=True)
class MediaTypes:
    manifest: str
    config: str
    layers: Mapping[LayerCompression, str]


class Format(Enum):
    """The two manifest formats; the client's Accept header selects one.

    Docker's has no zstd layers: its specification does not define them, and clients that accept
    only this format are older than the ``…tar.zstd`` that some programs write.
    """

    OCI = MediaTypes(
        manifest="application/vnd.oci.image.manifest.v1+json",
        config="application/vnd.oci.image.config.v1+json",
        layers={
            "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
            "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
            "none": "application/vnd.oci.image.layer.v1.tar",
        },
    )
    DOCKER = MediaTypes(
        manifest="application/vnd.docker.distribution.manifest.v2+json",
        config="application/vnd.docker.container.image.v1+json",
        layers={
            "gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "none": "application/vnd.docker.image.rootfs.diff.tar",
        },
    )


OCI_INDEX = "application/vnd.oci.image.index.v1+json"

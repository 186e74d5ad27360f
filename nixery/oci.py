"""The words of the registry protocol: digests, media types, descriptors.

Sources: https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md and
https://github.com/opencontainers/image-spec/blob/v1.1.0/canonicalization.md
"""

import hashlib
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import NewType

from nixery.errors import DigestInvalid

Digest = NewType("Digest", str)
"""``sha256:`` and 64 lower-case hex digits."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def parse_digest(text: str) -> Digest:
    """Raises DigestInvalid for anything but a sha256 digest, the only kind this registry makes."""
    if not _DIGEST.fullmatch(text):
        raise DigestInvalid(f"{text[:100]!r} is not a digest: expected sha256: and 64 hex digits")
    return Digest(text)


def digest_of(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def hexdigits(digest: Digest) -> str:
    """The 64 digits, which name the blob in the storage."""
    return digest.removeprefix("sha256:")


def canonical_json(value: object) -> bytes:
    """The one encoding of a value: sorted keys, no white space, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of a blob it refers to."""

    media_type: str
    digest: Digest
    size: int

    def as_json(self) -> dict[str, object]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """A layer as it is stored; it is the same blob in both manifest formats."""

    digest: Digest
    """Of the compressed blob, which is what a client fetches."""
    diff_id: Digest
    """Of the tar inside, which is what the config lists."""
    size: int
    """Bytes of the compressed blob."""


@dataclass(frozen=True, slots=True)
class MediaTypes:
    manifest: str
    config: str
    layer: str


class Format(Enum):
    """The two manifest formats; a client says in Accept which one it reads."""

    OCI = MediaTypes(
        manifest="application/vnd.oci.image.manifest.v1+json",
        config="application/vnd.oci.image.config.v1+json",
        layer="application/vnd.oci.image.layer.v1.tar+gzip",
    )
    DOCKER = MediaTypes(
        manifest="application/vnd.docker.distribution.manifest.v2+json",
        config="application/vnd.docker.container.image.v1+json",
        layer="application/vnd.docker.image.rootfs.diff.tar.gzip",
    )


OCI_INDEX = "application/vnd.oci.image.index.v1+json"

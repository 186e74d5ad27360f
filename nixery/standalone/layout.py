"""Writes an OCI image layout: the blobs as they are served, and an index with one manifest.

    oci-layout
    index.json
    blobs/sha256/<digest>    manifest, config, layers

Source: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
"""

from pathlib import Path

from nixery.manifest import Manifest, blobs_of
from nixery.oci import OCI_INDEX, Descriptor, canonical_json, hexdigits
from nixery.standalone.scratch import Scratch


def write(directory: Path, scratch: Scratch, manifest: Manifest, tag: str) -> None:
    """Moves the blobs out of the scratch storage."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)
    own = Descriptor(manifest.media_type, manifest.digest, len(manifest.data))
    for descriptor in (own, *blobs_of(manifest)):
        scratch.path(descriptor.digest).rename(blobs / hexdigits(descriptor.digest))
    entry = own.as_json() | {"annotations": {"org.opencontainers.image.ref.name": tag}}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    (directory / "index.json").write_bytes(canonical_json(index))
    (directory / "oci-layout").write_bytes(canonical_json({"imageLayoutVersion": "1.0.0"}))

"""Writes the archive of ``docker save`` and ``docker load``: a tar of tars.

    <digest>.json     the config, byte for byte that of the image
    <diff ID>.tar     each layer, uncompressed
    manifest.json     their names in order, and the image's name

Source: https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md
"""

import tarfile
from io import BytesIO
from pathlib import Path
from typing import IO

from nixery.manifest import Manifest, blobs_of
from nixery.oci import canonical_json, hexdigits
from nixery.standalone.scratch import Scratch


def write(file: Path, scratch: Scratch, manifest: Manifest, reference: str) -> None:
    """``manifest``: of uncompressed layers. ``reference``: the image's name."""
    config, *layers = (descriptor.digest for descriptor in blobs_of(manifest))
    members = {config: f"{hexdigits(config)}.json"} | {
        layer: f"{hexdigits(layer)}.tar" for layer in layers
    }
    entry = {
        "Config": members[config],
        "RepoTags": [reference],
        "Layers": [members[layer] for layer in layers],
    }
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        for digest, name in members.items():
            path = scratch.path(digest)
            with path.open("rb") as content:
                _add(archive, name, path.stat().st_size, content)
        listing = canonical_json([entry])
        _add(archive, "manifest.json", len(listing), BytesIO(listing))


def _add(archive: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    """Owner, mode and time are TarInfo's defaults: root, 0644, 1970."""
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, content)

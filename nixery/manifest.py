"""Image config and manifest: a pure function of the packed layers and the request.

Both depend only on the image's content. The package source and its revision are in response
headers, so that two sources with the same store paths give the same digest.

Sources: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md and
https://distribution.github.io/distribution/spec/manifest-v2-2/
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nixery.image_name import ImageRequest
from nixery.oci import (
    Descriptor,
    Digest,
    Format,
    PackedLayer,
    canonical_json,
    digest_of,
)
from nixery.records import digest, elements, member, natural, parse, text

# The epoch: the current date would change the digest of an unchanged image.
CREATED = "1970-01-01T00:00:00Z"

ENVIRONMENT = ("PATH=/bin:/usr/bin:/sbin", "SSL_CERT_FILE=/etc/ssl/certs/ca-bundle.crt")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's bytes, exactly as served."""

    media_type: str
    data: bytes
    digest: Digest


def config(layers: Sequence[PackedLayer], request: ImageRequest) -> bytes:
    """The image's config; the same bytes for both manifest formats."""
    runtime: dict[str, object] = {"Env": list(ENVIRONMENT)}
    if request.has_shell:
        runtime["Cmd"] = ["bash"]
    return canonical_json(
        {
            "architecture": request.architecture.oci,
            "config": runtime,
            "created": CREATED,
            "os": "linux",
            "rootfs": {"diff_ids": [layer.diff_id for layer in layers], "type": "layers"},
        }
    )


def blobs_of(manifest: Manifest) -> tuple[Descriptor, ...]:
    """The blobs it names.

    The config, then the layers. Raises ValueError if it is not a manifest.
    """
    content = parse(manifest.data)
    entries = (member(content, "config"), *elements(member(content, "layers")))
    return tuple(
        Descriptor(
            text(member(entry, "mediaType")),
            digest(member(entry, "digest")),
            natural(member(entry, "size")),
        )
        for entry in entries
    )


def in_all_formats(layers: Sequence[PackedLayer], config_data: bytes) -> dict[Format, Manifest]:
    """In each format that supports these layers; OCI supports all."""
    needed = {layer.compression for layer in layers}
    return {
        form: build(layers, config_data, form)
        for form in Format
        if needed <= form.value.layers.keys()
    }


def build(layers: Sequence[PackedLayer], config_data: bytes, form: Format) -> Manifest:
    """Raises KeyError if the format has no media type for a layer."""
    types = form.value
    config_descriptor = Descriptor(types.config, digest_of(config_data), len(config_data))
    data = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": types.manifest,
            "config": config_descriptor.as_json(),
            "layers": [
                Descriptor(types.layers[layer.compression], layer.digest, layer.size).as_json()
                for layer in layers
            ],
        }
    )
    return Manifest(types.manifest, data, digest_of(data))

"""Image config and manifest: a pure function of the packed layers and the request.

Both depend only on the image's content. The package source and its revision are in response
headers, so that two sources with the same store paths give the same digest.

Sources: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md and
https://distribution.github.io/distribution/spec/manifest-v2-2/
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nixery.closure import Package, StorePath, name_of
from nixery.image_name import ImageRequest
from nixery.oci import (
    Descriptor,
    Digest,
    Format,
    PackedLayer,
    canonical_json,
    digest_of,
)
from nixery.package_config import members, merge_configs
from nixery.records import digest, elements, member, natural, parse, text

# The epoch: the current date would change the digest of an unchanged image.
CREATED = "1970-01-01T00:00:00Z"

ENVIRONMENT = {
    # What container runtimes set by default, so that a program in /usr/local/bin is found.
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-bundle.crt",
}
_NONROOT = "65532:65532"
# Volumes of images that run as nonroot: writable even if the root file system is read-only.
_HOME = "/home/nonroot"
_TMP = "/tmp"  # noqa: S108 - a path in the image
MAX_IN_HISTORY = 3
"""Store paths that the history names for each layer."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's bytes, exactly as served."""

    media_type: str
    data: bytes
    digest: Digest


def config(
    layers: Sequence[PackedLayer],
    request: ImageRequest,
    packages: Sequence[Package],
    planned: Sequence[Sequence[StorePath]],
) -> bytes:
    """The image's config; the same bytes for both manifest formats.

    ``planned``: the store paths of each layer but the last, which is the environment layer.
    """
    runtime = _runtime(request, packages)
    installed = [path for package in packages for path in package.paths]
    # Builders such as buildah need exactly one entry for each layer to derive an image.
    history = [f"store paths {_names(paths)}" for paths in planned]
    history.append(f"links to {_names(installed)}")
    return canonical_json(
        {
            "architecture": request.architecture.oci,
            "config": runtime,
            "created": CREATED,
            "history": [{"created": CREATED, "created_by": f"nixery: {by}"} for by in history],
            "os": "linux",
            "rootfs": {"diff_ids": [layer.diff_id for layer in layers], "type": "layers"},
        }
    )


def _runtime(request: ImageRequest, packages: Sequence[Package]) -> dict[str, object]:
    """The settings of the packages over the defaults, and ``nonroot`` over both."""
    own = merge_configs([package.config for package in packages])
    variables = dict(ENVIRONMENT) | dict(own.env)
    if not own.cmd and not own.entrypoint and (command := _command(request, packages)):
        own = replace(own, cmd=(command,))
    if request.nonroot:
        variables["HOME"] = _HOME
        volumes = tuple(dict.fromkeys((*own.volumes, _TMP, _HOME)))
        own = replace(own, user=_NONROOT, volumes=volumes, working_dir=own.working_dir or _HOME)
    return members(replace(own, env=tuple(variables.items())))


def _command(request: ImageRequest, packages: Sequence[Package]) -> str:
    """The shell, or the main program of the only package; empty if there are several."""
    if request.has_shell:
        return "bash"
    programs = [package.main_program for package in packages if package.name in request.requested]
    return programs[0] if len(programs) == 1 else ""


def _names(paths: Iterable[StorePath]) -> str:
    """Without hashes, and in the same order for any order of the paths."""
    names = sorted({name_of(path) for path in paths})
    rest = len(names) - MAX_IN_HISTORY
    return ", ".join(names[:MAX_IN_HISTORY]) + (f" and {rest} more" if rest > 0 else "")


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

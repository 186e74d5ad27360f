"""Manifests: by tag from the builder, by digest from the storage."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from nixery import image_name, records
from nixery.builder import Image
from nixery.errors import FormatUnavailable, ManifestUnknown
from nixery.http.headers import (
    IMMUTABLE,
    REVALIDATE,
    content_headers,
    header_value,
    is_known,
    negotiate,
)
from nixery.http.leaving import while_connected
from nixery.http.redaction import redact_source
from nixery.manifest import Manifest
from nixery.oci import Digest, Format, parse_digest
from nixery.source import ResolvedSource
from nixery.storage import Storage, fetch
from nixery.wire.drain import Drain

MAX_MANIFEST = 4 * 1024 * 1024
"""Bytes; the size that the distribution specification asks registries to support."""

_DERIVED_TAG = re.compile(r"sha256-[0-9a-f]{64}(?:\.[a-z0-9]+)?")
"""Tags that cosign and clients without the referrers API look for: of a signature, for example.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#referrers-tag-schema
"""
_MEDIA_TYPES = frozenset(form.value.manifest for form in Format)


class ImageService(Protocol):
    """The operation that the registry needs.

    ``nixery.builder_front.BuilderFront`` implements it.
    """

    async def image(self, name: str, tag: str) -> Image:
        """Raises the errors of nixery.errors."""


class Manifests:
    def __init__(
        self,
        images: ImageService,
        storage: Storage,
        on_pull: Callable[[Digest], None],
        drain: Drain,
    ) -> None:
        """``on_pull`` is called with the digest of every served manifest; it must not block."""
        self._drain = drain
        self._images = images
        self._storage = storage
        self._on_pull = on_pull

    async def serve(self, request: Request) -> Response:
        """GET and HEAD of ``/v2/<name>/manifests/<tag or digest>``."""
        name, reference = request.path_params["name"], request.path_params["reference"]
        if ":" in reference:
            image_name.parse(name)
            found = await self._find(parse_digest(reference))
            headers = content_headers(found.digest, found.media_type, IMMUTABLE)
        elif _DERIVED_TAG.fullmatch(reference):
            image_name.parse(name)
            raise ManifestUnknown(f"nothing is attached to this digest: {reference}")
        else:
            # If the client disconnects, work for it alone is cancelled.
            make = partial(self._images.image, name, reference)
            with self._drain.waiting():
                made = await while_connected(request.receive, make)
            found = _acceptable(made.manifests, request.headers.getlist("accept"), name)
            headers = content_headers(found.digest, found.media_type, REVALIDATE)
            headers |= _origin(made.source) | {"Vary": "Accept", "Nixery-Cache": made.cache}
        self._on_pull(found.digest)
        if is_known(request.headers.getlist("if-none-match"), found.digest):
            return Response(status_code=304, headers=headers)
        return Response(found.data, headers=headers)

    async def _find(self, digest: Digest) -> Manifest:
        """Raises ManifestUnknown, also if the digest is that of a layer or a config."""
        read = partial(fetch, self._storage, digest, limit=MAX_MANIFEST)
        data = await anyio.to_thread.run_sync(read)
        media_type = _media_type(data) if data is not None else None
        if data is None or media_type is None:
            raise ManifestUnknown(f"manifest {digest} is not in this registry")
        return Manifest(media_type, data, digest)


def _acceptable(manifests: Mapping[Format, Manifest], accept: Iterable[str], name: str) -> Manifest:
    found = manifests.get(negotiate(accept))
    if found is None:
        raise FormatUnavailable(
            f"{name} has zstd layers, which Docker's manifest format does not support, and this "
            "client does not accept OCI manifests: use a newer client, or set "
            "NIXERY_COMPRESSION=gzip on the server"
        )
    return found


def _origin(source: ResolvedSource) -> dict[str, str]:
    """The source revision, as headers: the manifest's digest must not depend on it."""
    origin = {"Nixery-Source": header_value(redact_source(source.url))}
    if source.revision is not None:
        origin["Nixery-Revision"] = header_value(source.revision)
    return origin


def _media_type(data: bytes) -> str | None:
    """The media type in the manifest; None if it is not an image manifest."""
    match records.read(data, records.members):
        case {"mediaType": str(media_type)} if media_type in _MEDIA_TYPES:
            return media_type
    return None

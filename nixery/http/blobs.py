"""Blobs by digest: from the storage to the client, without the builder."""

from functools import partial
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from nixery import image_name
from nixery.errors import BlobUnknown
from nixery.http.files import FileResponse
from nixery.http.headers import (
    IMMUTABLE,
    Part,
    Unsatisfiable,
    applies_range,
    content_headers,
    is_known,
    parse_range,
)
from nixery.http.leaving import while_connected
from nixery.http.streams import StreamResponse
from nixery.oci import Digest, parse_digest
from nixery.storage import (
    Content,
    LocalFile,
    Location,
    Redirect,
    Streamed,
    Unverified,
    layer_key,
)
from nixery.verified_blobs import VerifiedBlobs


class Blobs:
    def __init__(self, verifier: VerifiedBlobs, accel_prefix: str) -> None:
        """``accel_prefix``: leaves local files to the nginx in front (docs/nginx.md)."""
        self._verifier = verifier
        self._accel_prefix = accel_prefix

    async def serve(self, request: Request) -> Response:
        """GET and HEAD of ``/v2/<name>/blobs/<digest>``."""
        image_name.parse(request.path_params["name"])
        digest = parse_digest(request.path_params["digest"])
        location = await self._verifier.locate(digest)
        if location is None:
            raise _unknown(digest)

        headers = content_headers(digest, "application/octet-stream", IMMUTABLE)
        headers["Accept-Ranges"] = "bytes"
        if is_known(request.headers.getlist("if-none-match"), digest):
            return Response(status_code=304, headers=headers)
        if request.method == "HEAD":
            # Answered here even if GET is redirected, without reading the blob. HEAD ignores Range.
            return Response(headers={**headers, "Content-Length": str(location.size)})
        part = _part(request, digest, location.size)
        if isinstance(location, Unverified):
            verify = partial(self._verifier.verify, digest)
            verified = await while_connected(request.receive, verify)
            if verified is None:
                raise _unknown(digest)
            location = verified
        if self._accel_prefix and isinstance(location, LocalFile):
            # nginx adds the length, serves ranges and says so (a second time if this response did).
            # It decodes the path.
            del headers["Accept-Ranges"]
            headers["X-Accel-Redirect"] = quote(self._accel_prefix + layer_key(digest))
            return Response(headers=headers)
        return _body(location, part, headers)


def _unknown(digest: Digest) -> BlobUnknown:
    return BlobUnknown(f"blob {digest} is not in this registry")


def _body(location: Location, part: Part | None, headers: dict[str, str]) -> Response:
    status, (start, stop) = 200, (0, location.size)
    if part:
        status, (start, stop) = 206, (part.start, part.stop)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{location.size}"
    match location:
        case Redirect(url=url):
            # The URL may be signed and short-lived. The client sends its Range to that server
            # again.
            return Response(status_code=307, headers={"Location": url, "Cache-Control": "no-store"})
        case Content(data=data):
            return Response(data[start:stop], status, headers)
        case LocalFile():
            return FileResponse(location, start, stop, status, headers)
        case Streamed(read=read):
            return StreamResponse(read(start, stop - start), stop - start, status, headers)


def _part(request: Request, digest: Digest, size: int) -> Part | None:
    """Raises HTTPException 416 if the range starts after the end."""
    lines = request.headers.getlist("range")
    if len(lines) != 1 or not applies_range(request.headers.get("if-range"), digest):
        return None
    part = parse_range(lines[0], size)
    if isinstance(part, Unsatisfiable):
        raise HTTPException(
            416, f"the blob has {size} bytes", headers={"Content-Range": f"bytes */{size}"}
        )
    return part

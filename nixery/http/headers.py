"""Response headers that manifests and blobs have in common."""

from urllib.parse import quote

from nixery.http.conditional import etag
from nixery.oci import Digest

IMMUTABLE = "public, max-age=31536000, immutable"
"""For what is asked for by digest: its content cannot change. A year, the longest in use."""
REVALIDATE = "no-cache"
"""For what is asked for by tag: may be kept, but ask with If-None-Match before using it."""

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


def content_headers(digest: Digest, media_type: str, cache_control: str) -> dict[str, str]:
    # The media type has no parameters: a charset breaks apptainer.
    return {
        "Content-Type": media_type,
        "Docker-Content-Digest": digest,
        "ETag": etag(digest),
        "Cache-Control": cache_control,
    }


def header_value(text: str) -> str:
    """Printable ASCII stays; the rest, line breaks above all, is percent-encoded."""
    return quote(text.strip(), safe=_PRINTABLE, errors="replace")

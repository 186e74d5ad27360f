"""HTTP headers of manifests and blobs: content negotiation, conditional requests, ranges.

Accept (https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)

    application/vnd.docker.distribution.manifest.v2+json
    application/vnd.oci.image.manifest.v1+json               both, in any order → OCI
    application/vnd.docker.distribution.manifest.v2+json     → Docker schema 2
    (none)                                                   → OCI

    Skopeo, podman and buildah send one line per type; docker sends its types in random order. A
    quality matters only if it is zero ("not this one"), because both formats describe the same
    image.

If-None-Match, If-Range (https://www.rfc-editor.org/rfc/rfc9110#section-13.1)

    The entity tag of every response is its digest: ``"sha256:…"``.

Range (https://www.rfc-editor.org/rfc/rfc9110#section-14), for a blob of 1000 bytes

    bytes=0-499     Part(0, 500)
    bytes=500-      Part(500, 1000)
    bytes=-100      Part(900, 1000)
    bytes=1000-     Unsatisfiable
    bytes=0-1,5-6   None: the whole blob. No registry client asks for several ranges.
    anything else   None: an invalid header is ignored.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from nixery.oci import Digest, Format

IMMUTABLE = "public, max-age=31536000, immutable"
"""Cache-Control for a digest, whose content cannot change. One year is the usual maximum."""
REVALIDATE = "no-cache"
"""Cache-Control for a tag: clients may keep it, but must ask with If-None-Match before reuse."""

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
# https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2
_QUALITY_ZERO = re.compile(r"q\s*=\s*0(?:\.0{0,3})?", re.IGNORECASE)
_ENTITY_TAG = re.compile(r'"([^"]*)"')  # the prefix W/ of a weak tag makes no difference
# At most 18 digits: no blob is larger, and int() takes quadratic time for longer numbers.
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes from ``start`` up to, but not including, ``stop``; never empty."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """The range starts after the end."""


def content_headers(digest: Digest, media_type: str, cache_control: str) -> dict[str, str]:
    # The media type has no parameters: a charset breaks apptainer.
    return {
        "Content-Type": media_type,
        "Docker-Content-Digest": digest,
        "ETag": etag(digest),
        "Cache-Control": cache_control,
    }


def header_value(text: str) -> str:
    """Percent-encodes everything but printable ASCII, line breaks above all."""
    return quote(text.strip(), safe=_PRINTABLE, errors="replace")


def negotiate(accept: Iterable[str]) -> Format:
    """The manifest format for these Accept lines: OCI if the client takes it, else Docker.

    A client that names neither (only an index, ``application/json`` or Docker schema 1) gets the
    older format: the server has no other, and such clients are older than OCI.
    """
    takes = _media_ranges(accept)
    return Format.OCI if not takes or _takes(Format.OCI.value.manifest, takes) else Format.DOCKER


def etag(digest: Digest) -> str:
    return f'"{digest}"'


def is_known(if_none_match: Iterable[str], digest: Digest) -> bool:
    """Whether the response is 304. The comparison is weak, so weak tags match too."""
    lines = [line.strip() for line in if_none_match]
    return "*" in lines or any(digest in _ENTITY_TAG.findall(line) for line in lines)


def applies_range(if_range: str | None, digest: Digest) -> bool:
    """Whether to honour Range: If-Range must hold the equal strong tag; a date never matches."""
    return if_range is None or if_range.strip() == etag(digest)


def parse_range(header: str, size: int) -> Part | Unsatisfiable | None:
    """``size`` in bytes; None means the whole blob."""
    match = _RANGE.fullmatch(header)
    if match is None:
        return None
    first, last = match.groups()
    if first:
        start, stop = int(first), int(last) + 1 if last else size
        if stop <= start and last:
            return None
    elif last:
        start, stop = max(0, size - int(last)), size
    else:
        return None
    if start >= size:
        return Unsatisfiable()
    return Part(start, min(stop, size))


def _media_ranges(accept: Iterable[str]) -> Mapping[str, bool]:
    """Every media range in lower case, and whether the client takes it (not ``q=0``)."""
    takes: dict[str, bool] = {}
    for item in ",".join(accept).split(","):
        media_range, *parameters = (part.strip() for part in item.split(";"))
        if media_range:
            refused = any(_QUALITY_ZERO.fullmatch(parameter) for parameter in parameters)
            key = media_range.lower()
            takes[key] = takes.get(key, False) or not refused
    return takes


def _takes(media_type: str, takes: Mapping[str, bool]) -> bool:
    # The most specific range decides.
    family, _, _ = media_type.partition("/")
    for media_range in (media_type, f"{family}/*", "*/*"):
        if media_range in takes:
            return takes[media_range]
    return False

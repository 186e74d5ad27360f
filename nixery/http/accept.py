"""Which manifest format a client reads, out of its Accept lines.

    Accept: application/vnd.docker.distribution.manifest.v2+json
    Accept: application/vnd.oci.image.manifest.v1+json               → OCI
    Accept: application/vnd.docker.distribution.manifest.v2+json     → Docker schema 2
    (none)                                                           → OCI

Skopeo, podman and buildah send one line per type, docker sends its types in random order: every
line counts, and the order never does. A quality only matters where it is zero ("not this one"),
because both formats say the same.
"""

import re
from collections.abc import Iterable, Mapping

from nixery.oci import Format

# https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2
_QUALITY_ZERO = re.compile(r"q\s*=\s*0(?:\.0{0,3})?", re.IGNORECASE)


def negotiate(lines: Iterable[str]) -> Format:
    """OCI where the client takes it, else Docker schema 2.

    A client that names neither (only an index, ``application/json``, Docker schema 1) gets the
    older format: there is nothing else to give, and such clients come from before OCI.
    """
    takes = _ranges(lines)
    return Format.OCI if not takes or _taken(Format.OCI.value.manifest, takes) else Format.DOCKER


def _ranges(lines: Iterable[str]) -> Mapping[str, bool]:
    """Every media range in lower case, and whether the client takes it (not ``q=0``)."""
    takes: dict[str, bool] = {}
    for item in ",".join(lines).split(","):
        media_range, *parameters = (part.strip() for part in item.split(";"))
        if media_range:
            refused = any(_QUALITY_ZERO.fullmatch(parameter) for parameter in parameters)
            key = media_range.lower()
            takes[key] = takes.get(key, False) or not refused
    return takes


def _taken(media_type: str, takes: Mapping[str, bool]) -> bool:
    # The most specific range decides: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
    family, _, _ = media_type.partition("/")
    for media_range in (media_type, f"{family}/*", "*/*"):
        if media_range in takes:
            return takes[media_range]
    return False

"""Whether a client that names a digest it knows needs the body again.

The entity tag of everything that is served is its digest: ``"sha256:…"``.
Source: https://www.rfc-editor.org/rfc/rfc9110#section-13.1
"""

import re
from collections.abc import Iterable

from nixery.oci import Digest

_ENTITY_TAG = re.compile(r'"([^"]*)"')  # a weak one has W/ in front, which makes no difference


def etag(digest: Digest) -> str:
    return f'"{digest}"'


def is_known(if_none_match: Iterable[str], digest: Digest) -> bool:
    """Whether the answer is 304; weak tags count, as the comparison is weak here."""
    lines = [line.strip() for line in if_none_match]
    return "*" in lines or any(digest in _ENTITY_TAG.findall(line) for line in lines)


def range_holds(if_range: str | None, digest: Digest) -> bool:
    """Whether a Range header counts: the tag must be strong and equal; a date never is."""
    return if_range is None or if_range.strip() == etag(digest)

"""Which part of a blob a Range header asks for.

    header          of 1000 bytes
    bytes=0-499     Part(0, 500)
    bytes=500-      Part(500, 1000)
    bytes=-100      Part(900, 1000)
    bytes=1000-     Unsatisfiable
    bytes=0-1,5-6   None: everything. No client of a registry asks for several ranges.
    anything else   None: a header that is not understood is as good as none.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-14
"""

import re
from dataclasses import dataclass

# 18 digits: no blob is larger, and a longer number must not reach int(), which is quadratic.
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes from ``start`` up to, but not including, ``stop``; never empty."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """The range lies behind the end."""


def parse(header: str, size: int) -> Part | Unsatisfiable | None:
    """``size`` in bytes; None means that all of it is to be served."""
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

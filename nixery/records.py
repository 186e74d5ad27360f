"""Strict reading of stored JSON records: a value of the expected form, or a miss.

A bucket may be shared with other programs and a disk may rot, so a record may contain any bytes.
Python's parser accepts more than JSON (``NaN``), more than a program can handle (``1e999``, an
integer of 4,000 digits, half of a surrogate pair) and duplicate members, and fails with several
kinds of exceptions. Here all of that is Malformed.

    bytes ── parse ──► JSON value ── a reader's own function of accessors ──► frozen value
               └────────────────────────┴──── Malformed ──► None, by ``read``

Accessors return the value as the type that they are named after, or raise Malformed.

    >>> read(b'{"size": 7}', lambda record: natural(member(record, "size")))
    7
    >>> read(b'{"size": true}', lambda record: natural(member(record, "size"))) is None
    True
"""

import json
import re
from collections.abc import Callable
from math import isfinite
from typing import Any, NoReturn, TypeVar

from nixery.errors import DigestInvalid
from nixery.oci import Digest, parse_digest

T = TypeVar("T")

MAX_RECORD = 8 << 20
"""Bytes of a record; that of an image of 32 packages has 700 KB. Tables have another limit."""
INTEGERS = range(-(1 << 63), 1 << 63)
"""Integers that other programs support too. Nix, Go and SQLite have 64 bits for a size."""

_KEY = re.compile(r"[0-9a-f]{64}")


class Malformed(ValueError):
    """The bytes are not JSON, or the value does not have the expected form."""


def read(data: bytes | str, make: Callable[[object], T], *, largest: int = MAX_RECORD) -> T | None:
    """The result of ``make`` for the parsed value; None if either raises ValueError."""
    try:
        return make(parse(data, largest=largest))
    except (ValueError, RecursionError):
        return None


def parse(data: bytes | str, *, largest: int = MAX_RECORD) -> Any:  # noqa: ANN401 - JSON, not yet checked
    """One JSON value, in UTF-8 and at most ``largest`` bytes, without the faults named above.

    Raises Malformed.
    """
    if len(data) > largest:
        raise Malformed(f"{len(data)} bytes, which is more than {largest}")
    try:
        text = data.decode() if isinstance(data, bytes) else data
        value = _DECODER.decode(text)
        # Half of a surrogate pair can be written as an escape, and cannot be encoded.
        if "\\u" in text or isinstance(data, str):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None
    return value


def members(value: object) -> dict[str, object]:
    """Of a JSON object."""
    return value if isinstance(value, dict) else _malformed(value, "an object")


def member(value: object, name: str) -> object:
    found = members(value)
    return found[name] if name in found else _malformed(value, f"an object with {name!r}")


def elements(value: object) -> list[object]:
    """Of a JSON array."""
    return value if isinstance(value, list) else _malformed(value, "an array")


def text(value: object) -> str:
    return value if isinstance(value, str) else _malformed(value, "a string")


def natural(value: object) -> int:
    """An integer from 0 to 2^63 - 1: a size, a count, an index."""
    # Booleans are integers in Python, but not in JSON.
    if type(value) is int and value >= 0:
        return value
    return _malformed(value, "a natural number")


def digest(value: object) -> Digest:
    try:
        return parse_digest(text(value))
    except DigestInvalid:
        _malformed(value, "a digest")


def hex_key(value: object) -> str:
    """A key of this program: 64 hex digits."""
    found = text(value)
    return found if is_hex_key(found) else _malformed(value, "a key")


def is_hex_key(name: str) -> bool:
    return _KEY.fullmatch(name) is not None


def _malformed(value: object, expected: str) -> NoReturn:
    raise Malformed(f"expected {expected}, not {type(value).__name__}")


def _integer(digits: str) -> int:
    # Python's own limit is 4,300 digits, and parsing takes quadratic time.
    value = int(digits) if len(digits) <= len("-9223372036854775808") else INTEGERS.stop
    if value not in INTEGERS:
        raise Malformed(f"an integer of {len(digits)} characters")
    return value


def _number(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise Malformed(f"{digits[:100]} is infinite")
    return value


def _constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Programs differ in which one they use.
        raise Malformed("an object has the same member twice")
    return found


_DECODER = json.JSONDecoder(
    parse_int=_integer, parse_float=_number, parse_constant=_constant, object_pairs_hook=_object
)

"""Sizes and ages in text: ``50G``, ``30d``."""

import re
from typing import Final

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGTP])(iB|B)?|B)?", re.ASCII | re.IGNORECASE)
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.ASCII)
_POWERS: Final = "KMGTP"
HOUR: Final = 3_600
DAY: Final = 24 * HOUR
"""Seconds."""

_SECONDS = {"s": 1, "m": 60, "h": HOUR, "d": DAY, "w": 7 * DAY}


def parse_size(text: str) -> int:
    """Bytes. As coreutils has it, ``K`` and ``KiB`` are 1024, ``KB`` is 1000.

    >>> parse_size("50G"), parse_size("1.5 KiB"), parse_size("2MB"), parse_size("7")
    (53687091200, 1536, 2000000, 7)

    Raises ValueError.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size: expected a number and K, M, G or T, such as 50G")
    number, letter, unit = match.groups()
    base = 1000 if unit and unit.lower() == "b" else 1024
    return int(float(number) * base ** (_POWERS.index(letter.upper()) + 1 if letter else 0))


def parse_age(text: str) -> float:
    """Seconds.

        >>> parse_age("30d"), parse_age("1.5h")
        (2592000.0, 5400.0)

    Raises ValueError, also for a number without a unit.
    """
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is not an age: expected a number and s, m, h, d or w, such as 30d"
        )
    return float(match[1]) * _SECONDS[match[2]]


def size_text(size: float) -> str:
    """A size in text.

    >>> size_text(0), size_text(1023), size_text(1536), size_text(53687091200)
    ('0 B', '1023 B', '1.5 KiB', '50.0 GiB')
    """
    if size < 1024:
        return f"{size:.0f} B"
    for letter in _POWERS:
        size /= 1024
        if size < 1023.95 or letter == _POWERS[-1]:
            break
    return f"{size:.1f} {letter}iB"

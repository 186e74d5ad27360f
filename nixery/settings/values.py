"""Types of settings whose values need parsing."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, Json

from nixery.errors import NameInvalid
from nixery.human_units import parse_size
from nixery.image_name import parse_tag

_UNITS = {"h": 3600, "m": 60, "s": 1}
LEAST_MEMORY = 64 << 20
"""Bytes."""


def _words(value: object) -> object:
    """Splits a list, whose items are separated by spaces or commas."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _size(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


def _duration(value: object) -> object:
    """Seconds; also as the Go server writes them, such as 5m or 1h30m."""
    if isinstance(value, str) and re.fullmatch(r"(?:\d+[hms])+", value):
        return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(.)", value))
    return value


def _memory(value: int) -> int:
    if 0 < value < LEAST_MEMORY:
        raise ValueError("Nix cannot start with less than 64M; 0 means no limit")
    return value


def _tag(text: str) -> str:
    try:
        return text if text == "*" else parse_tag(text)
    except NameInvalid as error:
        raise ValueError(error.message) from None


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError for NaN and Infinity, which are not JSON and which Nix rejects."""
    json.dumps(value, allow_nan=False)
    return value


def _entries(words: object) -> object:
    """Splits each ``name=/path``. Raises ValueError."""
    if not isinstance(words, list):
        return words
    entries = [str(word).partition("=") for word in words]
    for word, (name, _, path) in zip(words, entries, strict=True):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.+-]*", name) or not path:
            raise ValueError(
                f"{word!r} is not of the form name=/path, such as nixpkgs=/srv/nixpkgs"
            )
    return [(name, path) for name, _, path in entries]


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Tags = Annotated[tuple[Annotated[str, AfterValidator(_tag)], ...], BeforeValidator(_words)]
# Absolute, because child processes run in another directory.
Place = Annotated[Path, AfterValidator(Path.absolute)]
Places = Annotated[tuple[Place, ...], BeforeValidator(_words)]
SearchPath = Annotated[
    tuple[tuple[str, Place], ...], BeforeValidator(_entries), BeforeValidator(_words)
]
Bytes = Annotated[int, BeforeValidator(_size), Field(ge=0, lt=1 << 63)]
Duration = Annotated[int, BeforeValidator(_duration)]
Memory = Annotated[Bytes, AfterValidator(_memory)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NixSeconds = Annotated[int, Field(gt=0, lt=1 << 31)]
NixConfig = Annotated[Json[dict[str, Any]], AfterValidator(_finite)]

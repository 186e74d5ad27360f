"""An object's version: its ETag, and which write it was.

    "5d41402abc4b2a76b9719d911017c592"/8f14e45fceea167a   looked at: the word of its write
    "5d41402abc4b2a76b9719d911017c592"/+1768478400        written by others: no word, and the second
    "5d41402abc4b2a76b9719d911017c592"/@1768478400        listed: the second

A list does not give the word, so what was listed is compared by the second of its last write.
"""

from datetime import datetime
from typing import Any

from nixery.storage import Stat

WRITE = "nixery-write"
"""The name in an object's metadata under which each write has another word."""


def from_head(key: str, found: dict[str, Any]) -> Stat:
    """Of what HEAD and GET answer, or of the same fields from elsewhere."""
    version = f"{found['ETag']}/{_word(found)}"
    return Stat(key, found["ContentLength"], version, found["LastModified"].timestamp())


def from_list(found: dict[str, Any]) -> Stat:
    modified = found["LastModified"]
    version = f"{found['ETag']}/@{_second(modified)}"
    return Stat(found["Key"], found["Size"], version, modified.timestamp())


def is_still(found: dict[str, Any], stat: Stat) -> bool:
    """Whether what HEAD answers is what ``stat`` saw."""
    etag, _, word = stat.version.partition("/")
    now = f"@{_second(found['LastModified'])}" if word.startswith("@") else _word(found)
    return bool(found["ETag"] == etag and now == word)


def _word(found: dict[str, Any]) -> str:
    return found["Metadata"].get(WRITE) or f"+{_second(found['LastModified'])}"


def _second(modified: datetime) -> int:
    return int(modified.timestamp())

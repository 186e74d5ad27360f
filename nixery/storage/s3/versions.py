"""Versions of objects: the ETag, and the write.

    "5d41402abc4b2a76b9719d911017c592"/8f14e45fceea167a   HEAD or GET: the word of its write
    "5d41402abc4b2a76b9719d911017c592"/+1768478400        written by others: no word, the second
    "5d41402abc4b2a76b9719d911017c592"/@1768478400        listed: the second

A list lacks the word, so listed objects are compared by the second of their last write.
"""

from datetime import datetime
from typing import Any

from nixery.storage import Stat

WRITE = "nixery-write"
"""Name of the metadata with a random word for each write."""


def from_head(key: str, found: dict[str, Any]) -> Stat:
    """From the fields of HEAD and GET responses."""
    version = f"{found['ETag']}/{_word(found)}"
    return Stat(key, found["ContentLength"], version, found["LastModified"].timestamp())


def from_list(found: dict[str, Any]) -> Stat:
    modified = found["LastModified"]
    version = f"{found['ETag']}/@{_second(modified)}"
    return Stat(found["Key"], found["Size"], version, modified.timestamp())


def is_still(found: dict[str, Any], stat: Stat) -> bool:
    """Whether a HEAD response describes the version of ``stat``."""
    etag, _, word = stat.version.partition("/")
    now = f"@{_second(found['LastModified'])}" if word.startswith("@") else _word(found)
    return bool(found["ETag"] == etag and now == word)


def _word(found: dict[str, Any]) -> str:
    return found["Metadata"].get(WRITE) or f"+{_second(found['LastModified'])}"


def _second(modified: datetime) -> int:
    return int(modified.timestamp())

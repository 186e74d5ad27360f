"""Objects of a bucket as the storage protocol has them: versions, conditions, content types."""

from typing import Any

from google.cloud.storage import Blob as BucketObject

from nixery.storage import Condition, Stat
from nixery.storage.bucket import BLOB_TYPE

STAT_FIELDS = "items(name,size,generation,metageneration,updated),nextPageToken"
"""The fields of a listing that ``stat_of`` reads."""


def stat_of(found: BucketObject) -> Stat:
    version = f"{found.generation}.{found.metageneration}"
    return Stat(found.name, found.size, version, found.updated.timestamp())


def matches(condition: Condition | Stat | None) -> dict[str, Any]:
    """Arguments of a request that fails unless the condition holds.

    Source: https://cloud.google.com/storage/docs/request-preconditions
    """
    match condition:
        case None:
            return {}
        case Condition.ABSENT:
            return {"if_generation_match": 0}
        case Stat(version=version):
            generation, metageneration = version.split(".")
            return {
                "if_generation_match": int(generation),
                "if_metageneration_match": int(metageneration),
            }


def content_type(key: str) -> str:
    return (
        BLOB_TYPE if key.startswith(("layers/", "staging/", "quarantine/")) else "application/json"
    )

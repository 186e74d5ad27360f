"""Copies inside the service, and the word that tells one write of an object from another."""

import uuid
from typing import Any

from boto3.s3.transfer import TransferConfig

from nixery.storage.s3.client import Client
from nixery.storage.s3.failures import Asking

BLOB_TYPE = "application/octet-stream"
WRITE = "nixery-write"
"""The name in an object's metadata under which each write has another word."""
ONE_CALL = 512 << 20
"""Bytes that one call copies in time; S3 allows 5 GiB. Larger objects are copied in parts."""
IN_PARTS = TransferConfig(multipart_threshold=ONE_CALL, multipart_chunksize=ONE_CALL // 2)


def fresh_write() -> dict[str, str]:
    return {WRITE: uuid.uuid4().hex}


def content_type(key: str) -> str:
    return (
        BLOB_TYPE if key.startswith(("layers/", "staging/", "quarantine/")) else "application/json"
    )


def copy(client: Client, ask: Asking, source: dict[str, str], key: str, size: int) -> Any:  # noqa: ANN401 - boto3's answer
    """To ``key`` of the same bucket, as a new write; gives the answer of a copy in one call."""
    fields = {
        "Metadata": fresh_write(),
        "MetadataDirective": "REPLACE",
        "ContentType": content_type(key),
    }
    place = {"Bucket": source["Bucket"], "Key": key, "CopySource": source}
    if size <= ONE_CALL:
        return ask(client.copy_object, **place, **fields)
    return ask(client.copy, **place, ExtraArgs=fields, Config=IN_PARTS)

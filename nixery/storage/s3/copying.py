"""Server-side copies: they publish a blob under its name, and renew objects."""

import uuid

from boto3.s3.transfer import TransferConfig

from nixery.storage import Stat
from nixery.storage.bucket import BLOB_TYPE
from nixery.storage.s3.client import Client
from nixery.storage.s3.failures import Asking
from nixery.storage.s3.versions import WRITE, from_head

ONE_CALL = 512 << 20
"""Bytes that one call copies in reasonable time; S3 allows 5 GiB. Larger objects are copied in
parts."""
IN_PARTS = TransferConfig(multipart_threshold=ONE_CALL, multipart_chunksize=ONE_CALL // 2)


def fresh_write() -> dict[str, str]:
    return {WRITE: uuid.uuid4().hex}


def content_type(key: str) -> str:
    return (
        BLOB_TYPE if key.startswith(("layers/", "staging/", "quarantine/")) else "application/json"
    )


def copy(client: Client, ask: Asking, source: dict[str, str], key: str, size: int) -> Stat | None:
    """Copies to ``key`` of the same bucket, as a new write; None if the response lacks its Stat.

    Raises S3Refused if ``source`` does not exist.
    """
    written = fresh_write()
    fields = {
        "Metadata": written,
        "MetadataDirective": "REPLACE",
        "ContentType": content_type(key),
    }
    place = {"Bucket": source["Bucket"], "Key": key, "CopySource": source}
    if size > ONE_CALL:
        ask(client.copy, **place, ExtraArgs=fields, Config=IN_PARTS)
        return None
    made = ask(client.copy_object, **place, **fields)["CopyObjectResult"]
    return from_head(key, {**made, "ContentLength": size, "Metadata": written})

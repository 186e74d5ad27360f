"""Probe of the account's permissions and of the service's support for conditions.

A service without conditional writes either reports an error or writes anyway. The second must be
detected before a lease relies on it.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from nixery.errors import ConfigurationError
from nixery.storage.s3.client import Client
from nixery.storage.s3.failures import Asking, S3Refused

OTHER_ETAG = '"00000000000000000000000000000000"'


@dataclass(frozen=True, slots=True)
class Conditions:
    write: bool
    """``If-None-Match: *`` and ``If-Match`` on PUT."""
    delete: bool
    """``If-Match`` on DELETE."""


def probe(client: Client, ask: Asking, bucket: str) -> Conditions:
    """Raises ConfigurationError, and what ``ask`` raises."""
    key = f"staging/check-{uuid.uuid4().hex}"
    place = {"Bucket": bucket, "Key": key}
    _missing_is_told(client, ask, place)
    ask(client.put_object, **place, Body=b"")
    try:
        ask(client.get_object, **place)
        ask(client.list_objects_v2, Bucket=bucket, Prefix=key)
        write = _refuses(ask, client.put_object, **place, Body=b"", IfNoneMatch="*") and _refuses(
            ask, client.put_object, **place, Body=b"", IfMatch=OTHER_ETAG
        )
        delete = _refuses(ask, client.delete_object, **place, IfMatch=OTHER_ETAG)
    finally:
        ask(client.delete_object, **place)
    return Conditions(write, delete)


def _missing_is_told(client: Client, ask: Asking, place: dict[str, str]) -> None:
    """Without the permission to list, S3 answers 403 for a missing object."""
    try:
        ask(client.head_object, **place)
    except S3Refused as error:
        if error.http == 403:  # Forbidden
            ask(client.list_objects_v2, Bucket=place["Bucket"], MaxKeys=1)
            raise ConfigurationError(
                f"S3_BUCKET={place['Bucket']}: the account has no permission to read"
            ) from None
        if not error.is_gone:
            raise


def _refuses(ask: Asking, call: Callable[..., object], **parameters: object) -> bool:
    """Whether the service rejects a condition that is false."""
    try:
        ask(call, **parameters)
    except S3Refused as error:
        if error.is_condition:
            return True
        if error.is_unknown_condition:
            return False
        raise
    return False

"""The storage operations, on objects of a bucket."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import structlog

from nixery.errors import NixeryError
from nixery.oci import Digest, hexdigits
from nixery.storage import (
    LARGEST_READ,
    Condition,
    Location,
    Object,
    Redirect,
    Stat,
    Streamed,
    layer_key,
)
from nixery.storage.bucket import RANGE_BYTES, Patience
from nixery.storage.clock import ServerClock
from nixery.storage.s3.client import Client
from nixery.storage.s3.copying import content_type, copy, fresh_write
from nixery.storage.s3.failures import Asking, S3Refused, configuration
from nixery.storage.s3.probe import Conditions, probe
from nixery.storage.s3.staging import S3Upload, md5
from nixery.storage.s3.versions import from_head, from_list, is_still

log = structlog.get_logger()


class S3Storage:
    trusted_seconds = 60.0

    def __init__(
        self, client: Client, bucket: str, link_expiration: int, patience: Patience
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._link_expiration = link_expiration
        self._ask = Asking(patience)
        self._conditions: Conditions | None = None
        self._clock = ServerClock(ask=partial(self.stat, "leases/clock"))
        client.meta.events.register("after-call.s3", self._hear)

    @property
    def conditional(self) -> bool:
        """False until ``check`` or the first conditional call has probed the service."""
        return self._conditions is not None and self._conditions.write

    def stage(self) -> AbstractContextManager[S3Upload]:
        return S3Upload(self._client, self._bucket, self._ask)

    def locate(self, digest: Digest) -> Location | None:
        key = layer_key(digest)
        found = self._head(key)
        if found is None:
            return None
        size = found["ContentLength"]
        if self._link_expiration == 0:
            return Streamed(partial(self._pieces, key, found["ETag"]), size)
        # Makes no request, but may have to refresh the credentials of a role.
        url = self._ask(
            self._client.generate_presigned_url,
            ClientMethod="get_object",
            Params=self._place(key),
            ExpiresIn=self._link_expiration,
        )
        return Redirect(url, size)

    def verify(self, digest: Digest) -> Location | None:
        return self.locate(digest)  # the bucket verifies its own checksums

    def stat(self, key: str) -> Stat | None:
        found = self._head(key)
        return from_head(key, found) if found else None

    def read(self, key: str) -> Object | None:
        try:
            found, data = self._ask(partial(self._get, key))
        except S3Refused as error:
            if error.is_gone:
                return None
            raise
        return Object(data, from_head(key, found))

    def pieces(self, stat: Stat) -> Iterator[bytes]:
        return self._pieces(stat.key, stat.version.split("/")[0], 0, stat.size)

    def write(
        self, key: str, data: bytes, condition: Condition | Stat | None = None
    ) -> Stat | None:
        if condition and not self._holds(key, condition):
            return None
        written = fresh_write()
        try:
            answer = self._ask(
                self._client.put_object,
                **self._place(key),
                Body=data,
                ContentMD5=md5(data),
                ContentType=content_type(key),
                Metadata=written,
                **self._matches(condition),
            )
        except S3Refused as error:
            if not (condition and (error.is_condition or error.is_gone)):
                raise
            # If a response was lost and the request repeated, it meets its own object.
            found = self._head(key)
            return from_head(key, found) if found and found["Metadata"] == written else None
        date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        found = {
            "ContentLength": len(data),
            "ETag": answer["ETag"],
            "Metadata": written,
            "LastModified": parsedate_to_datetime(date),
        }
        return from_head(key, found)

    def list(self, prefix: str) -> Iterator[Stat]:
        more: dict[str, str] = {}
        while True:
            page = self._ask(
                self._client.list_objects_v2, Bucket=self._bucket, Prefix=prefix, **more
            )
            for found in page.get("Contents", []):
                yield from_list(found)
            if not page["IsTruncated"]:
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, stat: Stat) -> bool:
        found = self._head(stat.key)
        if found is None or not is_still(found, stat):
            return False
        match = {"IfMatch": found["ETag"]} if self._kept().delete else {}
        try:
            self._ask(self._client.delete_object, **self._place(stat.key), **match)
        except S3Refused as error:
            if error.is_condition or error.is_gone:
                return False
            raise
        return True

    def touch(self, stat: Stat) -> Stat | None:
        """A copy onto itself is the only way to renew an object's time in S3."""
        try:
            renewed = copy(self._client, self._ask, self._place(stat.key), stat.key, stat.size)
        except S3Refused as error:
            if error.is_gone:
                return None
            raise
        return renewed or self.stat(stat.key)

    def quarantine(self, digest: Digest) -> None:
        damaged = self.stat(layer_key(digest))
        if damaged is None:
            return
        target = f"quarantine/{hexdigits(digest)}"
        try:
            copy(self._client, self._ask, self._place(damaged.key), target, damaged.size)
        except S3Refused as error:
            if not error.is_gone:
                raise
        self.delete(damaged)

    def now(self) -> float:
        return self._clock.now()

    def bytes_to_free(self) -> int:
        return 0

    def check(self) -> None:
        """Writes, reads, lists and removes an object, and probes conditions."""
        self._conditions = None
        try:
            self._kept()
        except NixeryError as error:
            raise configuration(error, self._bucket) from None

    def ping(self) -> None:
        self.stat("layers/0")  # any response will do, also a 404

    def _kept(self) -> Conditions:
        """Probed once, because a command may use a bucket without ``check``."""
        if self._conditions is None:
            self._conditions = probe(self._client, self._ask, self._bucket)
            if not self._conditions.write or not self._conditions.delete:
                log.warning(
                    "the bucket's service has no conditional writes: replicas may build the same "
                    "image twice, and gc must not run while images are built"
                )
        return self._conditions

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": key}

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._ask(self._client.head_object, **self._place(key))
        except S3Refused as error:
            if error.is_gone:
                return None
            raise
        return found

    def _get(self, key: str, **parameters: str) -> tuple[dict[str, Any], bytes]:
        """Reads the body as part of the attempt, because that may fail too."""
        found = self._client.get_object(**self._place(key), **parameters)
        if found["ContentLength"] > LARGEST_READ:
            found["Body"].close()
            return found, b""
        return found, found["Body"].read()

    def _pieces(self, key: str, etag: str, start: int, length: int) -> Iterator[bytes]:
        """All pieces have one ETag, so old and new content are never mixed."""
        for offset in range(start, start + length, RANGE_BYTES):
            last = min(offset + RANGE_BYTES, start + length) - 1
            asked = f"bytes={offset}-{last}"
            _, data = self._ask(partial(self._get, key, Range=asked, IfMatch=etag))
            yield data

    def _holds(self, key: str, condition: Condition | Stat) -> bool:
        """Compares the write as well as the ETag.

        The only check if the service has no conditions.
        """
        if condition is Condition.ABSENT and self._kept().write:
            return True
        found = self._head(key)
        if isinstance(condition, Condition):
            return found is None
        return found is not None and is_still(found, condition)

    def _matches(self, condition: Condition | Stat | None) -> dict[str, str]:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html."""
        match condition:
            case Condition.ABSENT if self._kept().write:
                return {"IfNoneMatch": "*"}
            case Stat() if self._kept().write:
                return {"IfMatch": condition.version.split("/")[0]}
        return {}

    def _hear(self, http_response: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
        self._clock.hear(http_response.headers.get("date"))

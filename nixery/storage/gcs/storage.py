"""The storage operations, on objects of a bucket."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from http import HTTPStatus

import structlog
from google.api_core.exceptions import NotFound, PreconditionFailed, RetryError, TooManyRequests
from google.cloud.storage import Blob as BucketObject
from google.cloud.storage.exceptions import DataCorruption
from requests import Response

from nixery.errors import ConfigurationError
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
from nixery.storage.bucket import BLOB_TYPE, RANGE_BYTES, Patience
from nixery.storage.clock import ServerClock
from nixery.storage.gcs.client import OpenBucket
from nixery.storage.gcs.failures import (
    GCS_ERRORS,
    cause_of,
    configuration,
    retries,
    translated,
    translated_errors,
)
from nixery.storage.gcs.objects import STAT_FIELDS, content_type, matches, stat_of
from nixery.storage.gcs.staging import GcsUpload, renew

log = structlog.get_logger()

TRIES = 3
"""Number of reads of an object that changes or arrives damaged."""


class GcsStorage:
    trusted_seconds = 60.0
    conditional = True

    def __init__(self, opened: OpenBucket, patience: Patience) -> None:
        self._bucket = opened.bucket
        self._links = opened.links
        self._retry = retries(patience)
        self._clock = ServerClock(ask=partial(self.stat, "leases/clock"))
        opened.session.hooks["response"].append(self._hear)

    def stage(self) -> AbstractContextManager[GcsUpload]:
        return GcsUpload(self._bucket, self._retry)

    def locate(self, digest: Digest) -> Location | None:
        key = layer_key(digest)
        with translated_errors():
            found = self._bucket.get_blob(key, retry=self._retry)
            if found is None:
                return None
            if self._links and (url := self._links.link(key)):
                return Redirect(url, found.size)
        return Streamed(partial(self._pieces, key, found.generation), found.size)

    def verify(self, digest: Digest) -> Location | None:
        return self.locate(digest)  # the bucket verifies its own checksums

    def stat(self, key: str) -> Stat | None:
        with translated_errors():
            found = self._bucket.get_blob(key, retry=self._retry)
        return stat_of(found) if found else None

    def read(self, key: str) -> Object | None:
        with translated_errors():
            for attempt in range(1, TRIES + 1):
                found = self._bucket.get_blob(key, retry=self._retry)
                if found is None:
                    return None
                stat = stat_of(found)  # the download overwrites it from response headers
                try:
                    small = stat.size <= LARGEST_READ
                    return Object(self._download(found) if small else b"", stat)
                except (NotFound, PreconditionFailed, DataCorruption):
                    # It was replaced meanwhile, or does not match the bucket's checksum.
                    if attempt == TRIES:
                        raise
        return None

    def pieces(self, stat: Stat) -> Iterator[bytes]:
        generation, _ = stat.version.split(".")
        return self._pieces(stat.key, int(generation), 0, stat.size)

    def write(
        self, key: str, data: bytes, condition: Condition | Stat | None = None
    ) -> Stat | None:
        target = self._bucket.blob(key)
        writer = uuid.uuid4().hex
        target.metadata = {"writer": writer}
        with translated_errors():
            try:
                target.upload_from_string(
                    data,
                    content_type=content_type(key),
                    checksum="crc32c",
                    retry=self._retry,
                    **matches(condition),
                )
            except (PreconditionFailed, NotFound):
                # If a response was lost and the request repeated, it meets its own object.
                there = self._bucket.get_blob(key, retry=self._retry)
                if there is None or (there.metadata or {}).get("writer") != writer:
                    return None
                target = there
        return stat_of(target)

    def list(self, prefix: str) -> Iterator[Stat]:
        with translated_errors():
            for found in self._bucket.list_blobs(
                prefix=prefix, fields=STAT_FIELDS, retry=self._retry
            ):
                yield stat_of(found)

    def delete(self, stat: Stat) -> bool:
        with translated_errors():
            try:
                self._bucket.blob(stat.key).delete(retry=self._retry, **matches(stat))
            except (NotFound, PreconditionFailed):
                return False
        return True

    def touch(self, stat: Stat) -> Stat | None:
        there = self._bucket.blob(stat.key)
        with translated_errors():
            try:
                renew(there, self._retry)
            except NotFound:
                return None
            except (RetryError, TooManyRequests) as error:
                # An object accepts one change per second; the other writer renewed it as well.
                if not isinstance(cause_of(error), TooManyRequests):
                    raise
                renewed = self.stat(stat.key)
                if renewed and renewed.version == stat.version:
                    raise
                return renewed
        return stat_of(there)

    def quarantine(self, digest: Digest) -> None:
        with translated_errors():
            damaged = self._bucket.get_blob(layer_key(digest), retry=self._retry)
            if damaged is None:
                return
            target = self._bucket.blob(f"quarantine/{hexdigits(digest)}")
            target.content_type = BLOB_TYPE
            try:
                token: str | None = None
                while True:
                    token, _, _ = target.rewrite(damaged, token=token, retry=self._retry)
                    if token is None:
                        break
            except NotFound:
                return
        self.delete(stat_of(damaged))

    def now(self) -> float:
        return self._clock.now()

    def bytes_to_free(self) -> int:
        return 0

    def check(self) -> None:
        """Writes, reads, lists and removes an object, to detect missing permissions now."""
        key = f"staging/check-{uuid.uuid4().hex}"
        probe = self._bucket.blob(key)
        try:
            probe.upload_from_string(b"", content_type=BLOB_TYPE, retry=self._retry)
            renew(probe, self._retry)
            probe.reload(retry=self._retry)
            found = list(self._bucket.list_blobs(prefix=key, retry=self._retry))
            probe.delete(retry=self._retry)
        except GCS_ERRORS as error:
            raise (configuration(error, self._bucket.name) or translated(error)) from None
        if not found:
            raise ConfigurationError(
                f"GCS_BUCKET={self._bucket.name}: an object that was just written is not listed"
            )
        if self._links is None or self._links.link(key) is None:
            log.warning(
                "these credentials cannot sign URLs: blobs are streamed through this server"
            )

    def ping(self) -> None:
        self.stat("layers/0")  # any response will do, also a 404

    def _hear(self, response: Response, *_: object, **__: object) -> None:
        self._clock.hear(response.headers.get("Date"), response.elapsed.total_seconds())
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            # The library's streaming leaves the body of an error unread, and the connection open.
            response.content  # noqa: B018 - reads the body

    def _download(self, found: BucketObject) -> bytes:
        data = found.download_as_bytes(
            if_generation_match=found.generation,
            raw_download=True,
            checksum="crc32c",
            retry=self._retry,
        )
        return bytes(data)

    def _pieces(self, key: str, generation: int, start: int, length: int) -> Iterator[bytes]:
        """All pieces are of one generation, so old and new content are never mixed."""
        source = self._bucket.blob(key, generation=generation)
        with translated_errors():
            for offset in range(start, start + length, RANGE_BYTES):
                count = min(RANGE_BYTES, start + length - offset)
                yield source.download_as_bytes(
                    start=offset,
                    end=offset + count - 1,  # inclusive, as in HTTP
                    raw_download=True,
                    checksum=None,  # the bucket has no checksum of a part
                    single_shot_download=True,  # 8 KiB cost three times the CPU time
                    retry=self._retry,
                )

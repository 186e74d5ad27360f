"""Upload of a blob: streamed to ``staging/`` and hashed, then copied to its name.

The copy happens inside the bucket. It makes the complete blob visible at once, and only if nothing
has its name (generation 0), so an existing blob never changes while it is read.
"""

import base64
import hashlib
import uuid
from contextlib import suppress

import structlog
from google.api_core.exceptions import NotFound, PreconditionFailed
from google.api_core.retry import Retry
from google.cloud.storage import Blob as BucketObject
from google.cloud.storage import Bucket
from google.cloud.storage.fileio import BlobWriter
from google_crc32c import Checksum

from nixery.errors import StorageUnavailable
from nixery.oci import Digest
from nixery.storage import Blob, Buffer, layer_key
from nixery.storage.bucket import BLOB_TYPE, StagedUpload
from nixery.storage.gcs.failures import translated_errors

log = structlog.get_logger()

CHUNK = 8 << 20
"""Bytes per upload request, held in memory. 1 MiB costs twice the CPU time."""
ATTEMPTS = 5
"""Number of times that another writer may win the name."""


class _Writer(BlobWriter):  # type: ignore[misc]  # the library has no types
    def terminate(self) -> None:
        """Cancels the upload session. The library's own method uses a wrong URL."""
        try:
            if self._upload_and_transport:
                upload, transport = self._upload_and_transport
                if upload.resumable_url:
                    transport.delete(upload.resumable_url)
        finally:
            # Otherwise the garbage collector closes the writer, which would complete the upload.
            self._buffer.close()


class GcsUpload(StagedUpload):
    def __init__(self, bucket: Bucket, retry: Retry) -> None:
        super().__init__(f"staging/{uuid.uuid4().hex}")
        self._bucket = bucket
        self._retry = retry
        self._staged = bucket.blob(self.key)
        # At the end, the library compares its CRC32C with the bucket's.
        self._writer = _Writer(
            self._staged, chunk_size=CHUNK, content_type=BLOB_TYPE, checksum="crc32c", retry=retry
        )
        self._may_exist = False
        self._sha256 = hashlib.sha256()
        self._crc32c = Checksum()
        self._size = 0

    def write(self, data: Buffer, /) -> None:
        self._sha256.update(data)
        self._crc32c.update(bytes(data))
        self._size += len(data)
        with translated_errors():
            self._writer.write(data)

    def publish(self) -> Blob:
        digest = Digest("sha256:" + self._sha256.hexdigest())
        self._may_exist = True
        with translated_errors():
            self._writer.close()
            self._place(layer_key(digest))
        return Blob(digest, self._size)

    def _discard(self) -> None:
        with translated_errors():
            if not self._writer.closed:
                self._writer.terminate()
            if self._may_exist:
                with suppress(NotFound):
                    self._staged.delete(retry=self._retry)

    def _place(self, key: str) -> None:
        for _ in range(ATTEMPTS):
            with suppress(PreconditionFailed):
                return self._copy(key, over=0)
            there = self._bucket.get_blob(key, retry=self._retry)
            if there is None:  # deleted meanwhile
                continue
            with suppress(PreconditionFailed, NotFound):
                if self._is_this(there):
                    renew(there, self._retry)
                    return None
                log.error("blob does not match its digest; it is replaced", key=key)
                return self._copy(key, over=there.generation)
        raise StorageUnavailable(f"other writers keep replacing {key}")

    def _copy(self, key: str, *, over: int) -> None:
        """Raises PreconditionFailed if the existing generation is not ``over`` (0: none)."""
        target = self._bucket.blob(key)
        target.content_type = BLOB_TYPE
        token: str | None = None
        while True:
            # https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite: large objects
            # between locations or storage classes need several calls.
            token, _, _ = target.rewrite(
                self._staged, token=token, if_generation_match=over, retry=self._retry
            )
            if token is None:
                break
        if not self._is_this(target):
            target.delete(if_generation_match=target.generation, retry=self._retry)
            raise StorageUnavailable(f"the bucket's copy of {key} has a wrong checksum")

    def _is_this(self, there: BucketObject) -> bool:
        crc32c = base64.b64encode(self._crc32c.digest()).decode()
        return bool(there.size == self._size and there.crc32c == crc32c)


def renew(there: BucketObject, retry: Retry) -> None:
    """Renews ``updated`` and the metageneration, and changes nothing else."""
    there.metadata = {"renewed": uuid.uuid4().hex}
    there.patch(retry=retry)

"""Upload of a blob: in parts to ``staging/`` and hashed, then copied to its name.

The copy happens inside the service and makes the complete blob visible at once. Copying over an
existing blob renews it, and repairs damaged content.
"""

import base64
import hashlib
import uuid
from contextlib import suppress
from typing import Any

import structlog

from nixery.oci import Digest
from nixery.storage import Blob, Buffer, layer_key
from nixery.storage.bucket import BLOB_TYPE, StagedUpload
from nixery.storage.s3.client import Client
from nixery.storage.s3.copying import copy
from nixery.storage.s3.failures import Asking, S3Refused

log = structlog.get_logger()

PART = 8 << 20
"""Bytes of a part, held in memory: at most 10,000 parts make 78 GiB. The minimum is 5 MiB."""


class S3Upload(StagedUpload):
    def __init__(self, client: Client, bucket: str, ask: Asking) -> None:
        super().__init__(f"staging/{uuid.uuid4().hex}")
        self._client = client
        self._bucket = bucket
        self._ask = ask
        self._place = {"Bucket": bucket, "Key": self.key}
        self._held = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._staged = False
        self._sha256 = hashlib.sha256()
        self._size = 0

    def write(self, data: Buffer, /) -> None:
        self._sha256.update(data)
        self._size += len(data)
        self._held += data
        while len(self._held) >= PART:
            self._send_part(bytes(self._held[:PART]))
            del self._held[:PART]

    def publish(self) -> Blob:
        digest = Digest("sha256:" + self._sha256.hexdigest())
        self._finish()
        copy(self._client, self._ask, self._place, layer_key(digest), self._size)
        return Blob(digest, self._size)

    def _discard(self) -> None:
        if self._staged:
            self._ask(self._client.delete_object, **self._place)
        elif self._upload:
            with suppress(S3Refused):  # already complete: a response was lost
                self._ask(self._client.abort_multipart_upload, **self._place, UploadId=self._upload)

    def _send_part(self, data: bytes) -> None:
        if self._upload is None:
            started = self._ask(
                self._client.create_multipart_upload, **self._place, ContentType=BLOB_TYPE
            )
            self._upload = started["UploadId"]
        number = len(self._parts) + 1
        sent = self._ask(
            self._client.upload_part,
            **self._place,
            UploadId=self._upload,
            PartNumber=number,
            Body=data,
            ContentMD5=md5(data),
        )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    def _finish(self) -> None:
        data = bytes(self._held)
        if self._upload is None:
            self._ask(
                self._client.put_object,
                **self._place,
                Body=data,
                ContentMD5=md5(data),
                ContentType=BLOB_TYPE,
            )
        else:
            if data:
                self._send_part(data)
            self._complete()
        self._staged = True

    def _complete(self) -> None:
        try:
            self._ask(
                self._client.complete_multipart_upload,
                **self._place,
                UploadId=self._upload,
                MultipartUpload={"Parts": self._parts},
            )
        except S3Refused as error:
            # Already complete, because a response was lost; then the object exists.
            if error.s3_code != "NoSuchUpload":
                raise
            self._ask(self._client.head_object, **self._place)


def md5(data: bytes) -> str:
    """Content-MD5, with which the service rejects corrupted data."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()

"""Uploads: in one request, and resumable ones.

https://cloud.google.com/storage/docs/uploading-objects
https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

import json
import re
import uuid
from dataclasses import dataclass, field

from support.fake_gcs.objects import ApiError, Bucket, StoredObject, check

QUANTUM = 256 * 1024
"""Chunks but the last are multiples of this; of a broken one, whole quanta are kept."""


@dataclass
class Session:
    bucket: Bucket
    name: str
    fields: dict
    query: dict
    received: bytearray = field(default_factory=bytearray)
    finished: StoredObject | None = None


class Uploads:
    def __init__(self):
        self.sessions: dict[str, Session] = {}

    def multipart(self, bucket: Bucket, query: dict, content_type: str, body: bytes):
        """Metadata and content in one body; a CRC32C that is given must be the content's."""
        fields, data = parts(content_type, body)
        stored = StoredObject(bucket.name, "", data, {}, 0)
        if fields.get("crc32c", stored.crc32c) != stored.crc32c:
            raise ApiError(400, "invalid", "Provided CRC32C does not match what was calculated")
        return bucket.put(query.get("name") or fields["name"], data, fields, query)

    def start(self, bucket: Bucket, query: dict, headers, body: bytes) -> str:
        """The id of a new session. Preconditions are looked at now and when it ends."""
        fields = json.loads(body or b"{}")
        if given := headers.get("x-upload-content-type"):
            fields.setdefault("contentType", given)
        name = query.get("name") or fields["name"]
        check(query, bucket.get(name))
        upload = uuid.uuid4().hex
        self.sessions[upload] = Session(bucket, name, fields, query)
        return upload

    def cancel(self, upload: str) -> None:
        """Answered with 499; the session is gone for good."""
        self.sessions.pop(upload, None)
        raise ApiError(499, "clientClosed")

    def receive(self, upload: str, content_range: str, body: bytes, *, broken: bool):
        """The object when it is complete, otherwise None.

        ``broken``: the connection ended within the body. Bytes that were received already are
        ignored; a session that ended answers every further request with its object.
        """
        session = self.sessions.get(upload)
        if session is None:
            raise ApiError(410, "gone", "the upload session was cancelled or never was")
        if session.finished:
            return session.finished
        first, total = parse_range(content_range)
        is_last = total is not None and first is not None and first + len(body) >= total
        if first is not None:
            if first > len(session.received):
                raise ApiError(503, "backendError", "bytes are missing before these")
            if broken or not is_last:
                body = body[: len(body) // QUANTUM * QUANTUM]
            session.received += body[len(session.received) - first :]
        if broken or total is None or len(session.received) < total:
            return None
        session.finished = session.bucket.put(
            session.name, session.received, session.fields, session.query
        )
        return session.finished

    def progress(self, upload: str) -> dict[str, str]:
        """The header of a 308; None if no bytes were kept."""
        kept = len(self.sessions[upload].received)
        return {"Range": f"bytes=0-{kept - 1}"} if kept else {}


def parse_range(header: str) -> tuple[int | None, int | None]:
    """``bytes 0-99/*`` and ``bytes */100``: the first byte's offset, and the whole size."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", header)
    if match is None:
        raise ApiError(400, "badRequest", f"Content-Range: {header}")
    first, total = match.groups()
    return (int(first) if first else None), (int(total) if total != "*" else None)


def parts(content_type: str, body: bytes) -> tuple[dict, bytes]:
    """The metadata and the content of a multipart/related body (RFC 2387)."""
    boundary = b"--" + re.search(r'boundary="?([^";]+)', content_type)[1].strip("'").encode()
    _, first, rest = body.split(boundary, 2)
    second = rest[: rest.rindex(boundary)]
    fields = json.loads(first.partition(b"\r\n\r\n")[2])
    head, _, data = second.partition(b"\r\n\r\n")
    if given := re.search(r"content-type: *(\S+)", head.decode(), re.IGNORECASE):
        fields.setdefault("contentType", given[1])
    return fields, data.removesuffix(b"\r\n")

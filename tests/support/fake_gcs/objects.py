"""Buckets and their objects."""

import base64
import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime

import google_crc32c

# Generations begin at the time in microseconds on the real server, too: they never come again.
_generations = itertools.count(1_700_000_000_000_000)


class ApiError(Exception):
    def __init__(self, status: int, reason: str, message: str | None = None):
        super().__init__(message or reason)
        self.status = status
        self.reason = reason


@dataclass
class StoredObject:
    # https://cloud.google.com/storage/docs/json_api/v1/objects#resource

    bucket: str
    name: str
    data: bytes
    fields: dict
    time: float
    updated: float = 0
    generation: int = field(default_factory=lambda: next(_generations))
    metageneration: int = 1

    def __post_init__(self):
        self.updated = self.time
        self.crc32c = base64.b64encode(google_crc32c.Checksum(self.data).digest()).decode()

    def resource(self) -> dict:
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": self.bucket,
            "size": str(len(self.data)),
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "crc32c": self.crc32c,
            "md5Hash": base64.b64encode(hashlib.md5(self.data).digest()).decode(),
            "timeCreated": rfc3339(self.time),
            "updated": rfc3339(self.updated),
            **self.fields,
        }

    def patch(self, changes: dict, now: float) -> None:
        """Given metadata is merged; each change raises the metageneration and ``updated``.

        https://cloud.google.com/storage/docs/json_api/v1/objects/patch
        """
        for name, value in changes.items():
            if name == "metadata":
                self.fields["metadata"] = self.fields.get("metadata", {}) | value
            elif name in WRITABLE:
                self.fields[name] = value
        self.metageneration += 1
        self.updated = now


WRITABLE = ("contentType", "cacheControl", "contentEncoding", "contentDisposition", "metadata")


class Bucket(dict[str, StoredObject]):
    def __init__(self, name: str, clock):
        super().__init__()
        self.name = name
        self._clock = clock

    def put(self, name: str, data: bytes, fields: dict, query: dict) -> StoredObject:
        """A new generation; ``query`` may hold preconditions."""
        check(query, self.get(name))
        given = {key: value for key, value in fields.items() if key in WRITABLE}
        given.setdefault("contentType", "application/octet-stream")
        self[name] = StoredObject(self.name, name, bytes(data), given, self._clock())
        return self[name]

    def find(self, name: str, query: dict) -> StoredObject:
        """Raises 404, also for a generation that is gone, 412 and 304."""
        found = self.get(name)
        wanted = query.get("generation")
        if found is None or (wanted and int(wanted) != found.generation):
            raise ApiError(404, "notFound", f"No such object: {self.name}/{name}")
        check(query, found)
        return found


def check(query: dict, found: StoredObject | None, prefix: str = "if") -> None:
    """Generation 0 means that there is no object. A *Match that fails is 412, a *NotMatch 304."""
    # https://cloud.google.com/storage/docs/request-preconditions
    generation = found.generation if found else 0
    metageneration = found.metageneration if found else 0
    for name, is_now in (("Generation", generation), ("Metageneration", metageneration)):
        wanted = query.get(f"{prefix}{name}Match")
        if wanted is not None and int(wanted) != is_now:
            raise ApiError(412, "conditionNotMet", f"{prefix}{name}Match does not hold")
        unwanted = query.get(f"{prefix}{name}NotMatch")
        if unwanted is not None and int(unwanted) == is_now:
            raise ApiError(304, "notModified")


def rfc3339(time: float) -> str:
    return (
        datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )

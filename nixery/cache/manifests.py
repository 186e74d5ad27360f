"""Cache of manifests: ``manifests/<key>``, in three tiers.

    memory            the fast path: reads nothing
    state directory   survives a restart; only a copy
    storage           shared by all replicas

A hit is copied to the tiers above. An entry that does not parse is a miss.
"""

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import structlog

from nixery import records
from nixery.cache.recent import Recent
from nixery.host.regular_files import open_regular
from nixery.manifest import Manifest, blobs_of
from nixery.oci import Descriptor, Format, canonical_json, digest_of
from nixery.records import hex_key, member, members, text
from nixery.storage import Storage

log = structlog.get_logger()

Tier = Literal["local", "storage"]

MAX_IMAGES = 1000
"""Entries in memory; each takes about 60 KB with two manifests of 95 layers."""
MAX_STATE_FILES = 20_000
"""Files in the state directory. Between trims, there may be a tenth more."""


@dataclass(frozen=True, slots=True)
class CachedImage:
    """A built image: its manifests, and the blobs that they refer to."""

    manifests: Mapping[Format, Manifest]
    """Always OCI; Docker's format if it supports the layers."""
    outputs_key: str
    """Hash of the outputs in the image; its plan is ``plans/<outputs_key>``."""
    blobs: tuple[Descriptor, ...]
    """Everything that a pull needs: config, layers, and the manifests themselves."""


def image_of(manifests: Mapping[Format, Manifest], outputs_key: str) -> CachedImage:
    """Raises ValueError if one of them is not a manifest."""
    blobs: dict[str, Descriptor] = {}
    for made in manifests.values():
        blobs |= {blob.digest: blob for blob in blobs_of(made)}
        blobs[made.digest] = Descriptor(made.media_type, made.digest, len(made.data))
    return CachedImage(manifests, outputs_key, tuple(blobs.values()))


class ManifestCache:
    """The three tiers. The methods do blocking I/O, except ``get_from_memory`` and ``is_local``."""

    def __init__(self, storage: Storage, directory: Path, max_files: int = MAX_STATE_FILES) -> None:
        """``directory``: in the state directory; created here, and trimmed to ``max_files``."""
        self._storage = storage
        self._directory = directory
        self._max_files = max_files
        self._additions = count(1)
        self._memory: Recent[str, CachedImage] = Recent(MAX_IMAGES)
        directory.mkdir(parents=True, exist_ok=True)
        _sweep(directory)
        self._local_keys = _trim(directory, max_files)

    def is_local(self, key: str) -> bool:
        """Whether it is known to be in memory or in the state directory; does not block."""
        return key in self._local_keys or self._memory.get(key) is not None

    def get_from_memory(self, key: str) -> CachedImage | None:
        """From memory only."""
        return self._memory.get(key)

    def find(self, key: str) -> tuple[CachedImage, Tier] | None:
        """From the state directory, then from the storage."""
        with suppress(OSError):
            if found := decode(_read(self._directory / key)):
                self._memory.put(key, found)
                self._local_keys.add(key)  # another process may have written it
                return found, "local"
        stored = self._storage.read(f"manifests/{key}")
        found = decode(stored.data) if stored else None
        if found is None:
            return None
        self._store_local(key, found)
        return found, "storage"

    def store(self, key: str, image: CachedImage) -> None:
        """Stores the image. All of its blobs must be durable."""
        self._storage.write(f"manifests/{key}", encode(image))
        self._store_local(key, image)

    def drop_local(self, key: str) -> None:
        """Drops the local copies, because the entry is unusable."""
        self._memory.drop(key)
        self._local_keys.discard(key)
        with suppress(OSError):
            (self._directory / key).unlink()

    def _store_local(self, key: str, image: CachedImage) -> None:
        self._memory.put(key, image)
        # Complete, but not durable: a torn copy is a miss, and a lost one costs one read.
        staged = self._directory / f".{uuid.uuid4().hex}"
        try:
            staged.write_bytes(encode(image))
            staged.rename(self._directory / key)
            self._local_keys.add(key)
        except OSError as error:
            log.warning("manifest is not stored locally", error=str(error))
            with suppress(OSError):
                staged.unlink()
        # Trims after every tenth. ``next`` is atomic, so only one of several threads does it.
        if next(self._additions) % max(1, self._max_files // 10) == 0:
            with suppress(OSError):
                self._local_keys = _trim(self._directory, self._max_files)


def _read(copy: Path) -> bytes:
    with os.fdopen(open_regular(copy), "rb") as file:
        return file.read(records.MAX_RECORD)


def encode(image: CachedImage) -> bytes:
    return canonical_json(
        {
            "outputs": image.outputs_key,
            "manifests": {form.name: made.data.decode() for form, made in image.manifests.items()},
        }
    )


def decode(data: bytes) -> CachedImage | None:
    """None for anything that ``encode`` did not write, such as a manifest of the Go server."""
    return records.read(data, _image)


def _image(record: object) -> CachedImage:
    texts = members(member(record, "manifests"))
    made = {form: text(texts[form.name]).encode() for form in Format if form.name in texts}
    if Format.OCI not in made:
        raise records.Malformed("the OCI manifest is missing")
    manifests = {
        form: Manifest(form.value.manifest, content, digest_of(content))
        for form, content in made.items()
    }
    return image_of(manifests, hex_key(member(record, "outputs")))


def _sweep(directory: Path) -> None:
    """Removes temporary files of killed processes. Nothing may be written meanwhile."""
    for staged in directory.glob(".*"):
        with suppress(OSError):
            staged.unlink()


def _trim(directory: Path, max_files: int) -> set[str]:
    """Keeps the newest files and returns their names.

    Other processes may write at the same time.
    """
    written: list[tuple[int, str]] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                with suppress(FileNotFoundError):
                    written.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
    written.sort(reverse=True)
    for _, name in written[max_files:]:
        with suppress(OSError):
            (directory / name).unlink()
    return {name for _, name in written[:max_files]}

"""Store paths become a layer: read once, written once."""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nixery.archive.compress import Compression
from nixery.archive.pipeline import Pipeline
from nixery.archive.tape import BLOCK, Tape
from nixery.archive.tar import Type, header
from nixery.archive.tree import Directory, File, Symlink, walk
from nixery.archive.twins import Twins
from nixery.archive.workers import Workers
from nixery.closure import StorePath
from nixery.oci import Digest
from nixery.storage import Storage


@dataclass(frozen=True, slots=True)
class PackedLayer:
    digest: Digest
    """Of the compressed blob, which is stored."""
    diff_id: Digest
    """Of the tar stream in it; goes into the image's config."""
    size: int
    """Bytes of the blob."""


def pack(
    paths: Sequence[StorePath],
    store_root: Path,
    storage: Storage,
    compression: Compression,
    workers: Workers | None = None,
) -> PackedLayer:
    """The layer with exactly these store paths, stored.

    ``store_root`` is where the store's files physically lie: ``/``, or the directory of a chroot
    store. Links keep their targets, ``/nix/store/…``. Order and repetition of ``paths`` do not
    matter. Blocks; call it in a worker thread, several at once if you like.

    Raises StoreDamaged where a path is missing or changes, StorageFull where there is no room.
    """
    root = os.fsencode(store_root).rstrip(b"/")

    def write(tape: Tape) -> None:
        scratch = memoryview(bytearray(BLOCK))
        for parent in (b"nix/", b"nix/store/"):
            tape.write(header(parent, 0o755, Type.DIRECTORY))
        for path in sorted({os.fsencode(path) for path in paths}):
            _write_store_path(tape, root, path, scratch)

    return store(write, storage, compression, workers)


def store(
    write: Callable[[Tape], None],
    storage: Storage,
    compression: Compression,
    workers: Workers | None,
) -> PackedLayer:
    """The layer that ``write`` puts on the tape."""
    with (
        storage.stage() as staging,
        closing(Pipeline(staging, compression, workers)) as pipeline,
    ):
        tape = Tape(pipeline, pipeline.block)
        write(tape)
        tape.end()
        diff_id = pipeline.finish()
        blob = staging.publish()
    return PackedLayer(blob.digest, diff_id, blob.size)


def _write_store_path(tape: Tape, root: bytes, path: bytes, scratch: memoryview) -> None:
    """Modes are those that Nix gives: write permission for nobody, executable for all or none."""
    top = root + path
    twins = Twins(walk(top), scratch)
    for entry in walk(top):
        name = entry.path[len(root) + 1 :]
        match entry:
            case Directory():
                tape.write(header(name + b"/", 0o555, Type.DIRECTORY))
            case Symlink(target=target):
                tape.write(header(name, 0o777, Type.SYMLINK, link=target))
            case File():
                _write_file(tape, name, entry, twins)


def _write_file(tape: Tape, name: bytes, file: File, twins: Twins) -> None:
    mode = 0o555 if file.executable else 0o444
    first, content = twins.first(file, name) if twins.possible(file) else (None, None)
    if first is not None:
        tape.write(header(name, mode, Type.HARD_LINK, link=first))
        return
    tape.write(header(name, mode, Type.FILE, file.size))
    if content is not None:
        tape.content(content)
    else:
        tape.copy(file.path, file.size)

"""Store paths become a layer: read once, written once."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import structlog

from nixery.archive import tree
from nixery.archive.blocks import BlockWriter
from nixery.archive.compress import Compression
from nixery.archive.environment import DirectoryNode, LinkNode, Node, TextNode, merge
from nixery.archive.hard_links import HardLinks
from nixery.archive.listing import looking_below
from nixery.archive.pipeline import Pipeline
from nixery.archive.tar import Type, header
from nixery.archive.workers import Workers
from nixery.closure import StorePath
from nixery.oci import PackedLayer
from nixery.storage import Storage

log = structlog.get_logger()

BUFFER = 1 << 20
"""Bytes. A file that may have a twin is read in such pieces; one that fits in is read only once."""


def pack(  # noqa: PLR0913, PLR0917 - what a Packer is made of
    paths: Sequence[StorePath],
    store_root: Path,
    storage: Storage,
    compression: Compression,
    workers: Workers | None = None,
    scratch: Path | None = None,
) -> PackedLayer:
    """The layer with exactly these store paths, stored.

    ``store_root`` is where the store's files physically lie: ``/``, or the directory of a chroot
    store. Links keep their targets, ``/nix/store/…``. Order and repetition of ``paths`` do not
    matter. ``scratch``: where lists wait that are too long for memory; by default the system's
    directory for temporary files. Blocks; call it in a worker thread, several at once if you like.

    Raises StoreDamaged where a path is missing or changes, PackingFailed where no image can hold
    it, StorageFull where there is no room.
    """
    root = os.fsencode(store_root).rstrip(b"/")

    def write(tape: BlockWriter) -> None:
        buffer = memoryview(bytearray(BUFFER))
        for parent in (b"nix/", b"nix/store/"):
            tape.write(header(parent, 0o755, Type.DIRECTORY))
        for path in sorted({os.fsencode(path) for path in paths}):
            with (
                closing(tree.Walk(root, path, scratch)) as walk,
                closing(_twins(walk, root, path, buffer, scratch)) as twins,
            ):
                _write_store_path(tape, len(root) + 1, walk, twins)

    return _store(write, storage, compression, workers)


def pack_environment(  # noqa: PLR0913, PLR0917 - what a Packer is made of
    packages: Sequence[Sequence[StorePath]],
    closure: Iterable[StorePath],
    store_root: Path,
    storage: Storage,
    compression: Compression,
    workers: Workers | None = None,
) -> PackedLayer:
    """The layer that makes a root of these packages, stored; see environment.

    ``packages`` are the output paths of each, and the first one wins. ``closure``: the image's
    store paths. A link to any other leads nowhere, whether this machine has that one or not. The
    rest is as in ``pack``.
    """
    root = os.fsencode(store_root).rstrip(b"/")
    outputs = [os.fsencode(path) for package in packages for path in package]
    found = merge(outputs, looking_below(root, map(os.fsencode, closure)))

    def write(tape: BlockWriter) -> None:
        for name, node in found.items():
            _write_node(tape, name, node)

    return _store(write, storage, compression, workers)


def _store(
    write: Callable[[BlockWriter], None],
    storage: Storage,
    compression: Compression,
    workers: Workers | None,
) -> PackedLayer:
    """The layer that ``write`` puts on the tape."""
    with (
        storage.stage() as staging,
        closing(Pipeline(staging, compression, workers)) as pipeline,
    ):
        tape = BlockWriter(pipeline, pipeline.block)
        write(tape)
        tape.end()
        diff_id = pipeline.finish()
        blob = staging.publish()
    return PackedLayer(blob.digest, diff_id, blob.size, compression.kind)


def _twins(
    walk: tree.Walk, root: bytes, path: bytes, buffer: memoryview, scratch: Path | None
) -> HardLinks:
    """Those of a store path, which is walked for it once more than ``walk`` does."""
    with closing(tree.Walk(root, path, scratch)) as entries:
        return HardLinks(entries, buffer, scratch, walk.open)


def _write_store_path(tape: BlockWriter, skip: int, walk: tree.Walk, twins: HardLinks) -> None:
    """``skip``: bytes at the beginning of each path that are not in the archive.

    Modes are those that Nix gives: write permission for nobody, executable for all or none.

    Names that clients would take for whiteouts are left out: they would vanish when the layer is
    unpacked, and take others with them.
    """
    left_out, first_left_out = 0, b""
    for entry in walk:
        name = entry.path[skip:]
        match entry:
            case tree.Directory():
                tape.write(header(name + b"/", 0o555, Type.DIRECTORY))
            case tree.Symlink(target=target):
                tape.write(header(name, 0o777, Type.SYMLINK, link=target))
            case tree.File():
                _write_file(tape, name, entry, walk, twins)
            case tree.Whiteout():
                left_out += 1
                first_left_out = first_left_out or name
    if left_out:
        first = "/" + os.fsdecode(first_left_out)
        log.warning("names that mean whiteouts are left out", first=first, all=left_out)


def _write_file(
    tape: BlockWriter, name: bytes, file: tree.File, walk: tree.Walk, twins: HardLinks
) -> None:
    mode = 0o555 if file.executable else 0o444
    first, content = twins.first(file, name) if twins.possible(file) else (None, None)
    if first is not None:
        tape.write(header(name, mode, Type.HARD_LINK, link=first))
        return
    tape.write(header(name, mode, Type.FILE, file.size))
    if content is not None:
        tape.content(content)
        return
    descriptor = walk.open(file)
    try:
        tape.copy(descriptor, file.path, file.size)
    finally:
        os.close(descriptor)


def _write_node(tape: BlockWriter, name: bytes, node: Node) -> None:
    match node:
        case DirectoryNode(mode):
            tape.write(header(name + b"/", mode, Type.DIRECTORY))
        case LinkNode(target):
            tape.write(header(name, 0o777, Type.SYMLINK, link=target))
        case TextNode(content):
            tape.write(header(name, 0o644, Type.FILE, len(content)))
            tape.content(content)

"""Packing of a layer: store paths are read once, and the blob is written once."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import structlog

from nixery.archive import tree
from nixery.archive.blocks import BlockWriter
from nixery.archive.compress import Compression
from nixery.archive.environment import merge
from nixery.archive.hard_links import HardLinks
from nixery.archive.listing import child_lister, read_file
from nixery.archive.pipeline import Pipeline
from nixery.archive.standard_entries import DirectoryNode, LinkNode, Node, TextNode
from nixery.archive.tar import Type, header
from nixery.archive.workers import Workers
from nixery.closure import StorePath
from nixery.oci import PackedLayer
from nixery.storage import Storage

log = structlog.get_logger()

BUFFER = 1 << 20
"""Bytes per read of a possible duplicate; one that fits in is read only once."""


def pack(  # noqa: PLR0913, PLR0917 - the fields of a Packer
    paths: Sequence[StorePath],
    store_root: Path,
    storage: Storage,
    compression: Compression,
    workers: Workers | None = None,
    scratch: Path | None = None,
) -> PackedLayer:
    """Stores the layer with exactly these store paths.

    ``store_root``: location of the store's files, ``/`` or the directory of a chroot store. Links
    keep their targets, ``/nix/store/…``. The order and duplicates of ``paths`` do not matter.
    ``scratch``: directory for lists that do not fit in memory; by default the system's temporary
    directory. Blocks; several calls may run at once in worker threads.

    Raises StoreDamaged if a path is missing or changes, PackingFailed if an image cannot hold it,
    StorageFull if there is no space.
    """
    root = os.fsencode(store_root).rstrip(b"/")

    def write(tape: BlockWriter) -> None:
        buffer = memoryview(bytearray(BUFFER))
        for parent in (b"nix/", b"nix/store/"):
            tape.write(header(parent, 0o755, Type.DIRECTORY))
        for path in sorted({os.fsencode(path) for path in paths}):
            with (
                closing(tree.Walk(root, path, scratch)) as walk,
                closing(_hard_links(walk, root, path, buffer, scratch)) as links,
            ):
                _write_store_path(tape, len(root) + 1, walk, links)

    return _store(write, storage, compression, workers)


def pack_environment(  # noqa: PLR0913, PLR0917 - the fields of a Packer
    packages: Sequence[Sequence[StorePath]],
    closure: Iterable[StorePath],
    store_root: Path,
    storage: Storage,
    compression: Compression,
    workers: Workers | None = None,
    *,
    nonroot: bool = False,
) -> PackedLayer:
    """Stores the layer that links these packages into the root; see environment.

    ``packages``: the output paths of each; the first package wins. ``closure``: the image's store
    paths. Links to others are dangling, even if this machine has their targets. ``nonroot``: with
    the user of that name. The rest is as in ``pack``.
    """
    root = os.fsencode(store_root).rstrip(b"/")
    outputs = [os.fsencode(path) for package in packages for path in package]
    names = [os.fsencode(path) for path in closure]
    read = partial(read_file, root, names)
    found = merge(outputs, child_lister(root, names), read, nonroot=nonroot)

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
    """The layer that ``write`` writes."""
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


def _hard_links(
    walk: tree.Walk, root: bytes, path: bytes, buffer: memoryview, scratch: Path | None
) -> HardLinks:
    """The hard links of a store path, found by an additional walk."""
    with closing(tree.Walk(root, path, scratch)) as entries:
        return HardLinks(entries, buffer, scratch, walk.open)


def _write_store_path(tape: BlockWriter, skip: int, walk: tree.Walk, links: HardLinks) -> None:
    """``skip``: bytes at the start of each path that are not part of the archive.

    Modes are those of Nix: not writable, and executable for all or nobody.

    Skips names that clients would treat as whiteouts: they would disappear when the layer is
    unpacked, and hide other files.
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
                _write_file(tape, name, entry, walk, links)
            case tree.Whiteout():
                left_out += 1
                first_left_out = first_left_out or name
    if left_out:
        first = "/" + os.fsdecode(first_left_out)
        log.warning("names that mean whiteouts are skipped", first=first, all=left_out)


def _write_file(
    tape: BlockWriter, name: bytes, file: tree.File, walk: tree.Walk, links: HardLinks
) -> None:
    mode = 0o555 if file.executable else 0o444
    target: bytes | None = None
    content: memoryview | None = None
    if links.may_have_duplicate(file):
        target, content = links.link_target(file, name)
    if target is not None:
        tape.write(header(name, mode, Type.HARD_LINK, link=target))
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
        case DirectoryNode(mode, owner):
            tape.write(header(name + b"/", mode, Type.DIRECTORY, owner=owner))
        case LinkNode(target):
            tape.write(header(name, 0o777, Type.SYMLINK, link=target))
        case TextNode(content):
            tape.write(header(name, 0o644, Type.FILE, len(content)))
            tape.content(content)

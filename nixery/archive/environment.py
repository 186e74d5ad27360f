"""Environment layer: the image's root, with links into the requested packages.

The input is the output paths of the packages, in order, and a function that lists their
directories. The output is the tree, as a mapping from name to node. Directories at the root are
real, and those that others write into (standard_entries.py). Below them,

    a/share/man/man1/x.1               share/               real: everything at the root is
    a/share/doc/x            merge     share/doc            one has it: a link to a/share/doc
    b/share/man/man1/y.1     ────►     share/man/           both have it: real
                                       share/man/man1/      both have it: real
                                       share/man/man1/x.1   a link to a/share/man/man1/x.1
                                       share/man/man1/y.1   a link to b/share/man/man1/y.1

If two packages provide a name, the first wins, unless both have a directory or a link to one. Links
to directories can make a small package endless, and a directory can exceed memory, so merging has
limits.

Nothing here reads files: the given function does (see listing), and equal answers give equal trees.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from nixery.archive.standard_entries import (
    DIRECTORIES,
    DirectoryNode,
    LinkNode,
    ReadFile,
    Tree,
    add_standard_entries,
    is_real,
)
from nixery.archive.tree import MAX_PATH
from nixery.errors import PackingFailed
from nixery.oci import WHITEOUT

MOST = 200_000
"""Entries of the tree; directories that would exceed this are not merged."""
MOST_NEAR_ROOT = 200_000
"""Entries at the root and in its directories, which are real even if only one package has them."""
MOST_BYTES = 64 << 20
"""Bytes of their names and targets: 320 for each."""


@dataclass(frozen=True, slots=True)
class Child:
    """A name in a package's directory."""

    name: bytes
    directory: bytes | None
    """The logical path of the directory that it is or links to; None if it is not a directory."""


ListChildren = Callable[[bytes], Iterable[Child]]
"""Lists a directory by its logical path, ``/nix/store/…``; empty if it is not a directory. An
iterable, because the children need not fit in memory."""


_NEVER_TAKEN = frozenset({b"nix-support", b"nix", b"tmp", b"proc", b"sys", b"dev"})
"""Names that are skipped at the root: Nix's metadata, the store, and what the container runtime
mounts."""


def merge(
    outputs: Sequence[bytes], look: ListChildren, read: ReadFile, *, nonroot: bool = False
) -> Tree:
    """The tree for these store paths; the first one wins. ``nonroot``: with a user of that name.

    Raises PackingFailed if the root, or a directory of it that must be real, exceeds a limit.
    """
    merged = _merged(tuple(dict.fromkeys(outputs)), look)
    tree = add_standard_entries(merged, read, nonroot=nonroot)
    # Sorts as if split at slashes: names contain no zero byte, and all other bytes are greater.
    return dict(sorted(tree.items(), key=lambda item: item[0].replace(b"/", b"\0")))


_Directories = tuple[bytes, ...]
"""The providers of a name, without duplicates, the first one first."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """Directories to merge at a path of the tree."""

    path: bytes
    directories: _Directories
    instead: LinkNode | None = None
    """The link to use if they exceed a limit; None if the directory must be real."""
    above: "_Pending | None" = None
    """The merge of the parent directory."""

    @property
    def is_near_root(self) -> bool:
        return b"/" not in self.path or self.path in DIRECTORIES

    def on_the_way(self) -> Iterator[_Directories]:
        """The directories that are being merged on the way to it, including its own."""
        pending: _Pending | None = self
        while pending:
            yield pending.directories
            pending = pending.above


@dataclass(slots=True)
class _Offer:
    """The directories' entries of one name."""

    link: bytes
    """A link to the first one's entry."""
    is_directory: bool
    """The first one's entry."""
    inner: _Directories
    """Those that are directories."""


def _merged(outputs: _Directories, look: ListChildren) -> Tree:
    """Merges the packages.

    Links may point upwards, which would never end, or between directories, which would exceed all
    limits. So a directory is not merged inside itself, nor after the tree is full: then the first
    one is linked to.
    """
    tree: Tree = {}
    size = 0
    # Breadth-first and in order, so that the limit hits the same directories in every store. No
    # recursion, because directories may be nested as deep as a path allows.
    pending: deque[_Pending] = deque([_Pending(b"", outputs)])
    while pending:
        merged = pending.popleft()
        prefix = merged.path and merged.path + b"/"
        most = MOST_NEAR_ROOT if merged.is_near_root else MOST
        found = _offers(merged, look, most - len(tree), MOST_BYTES - size)
        if found is None:
            assert merged.instead, "else it is an error"
            tree[merged.path] = merged.instead
            continue
        offers, more = found
        size += more
        on_the_way = set(merged.on_the_way())
        for name, offer in sorted(offers.items()):
            if name.startswith(WHITEOUT) or (not prefix and name in _NEVER_TAKEN):
                continue  # a package could hide the whole image with the former
            path = prefix + name
            link = LinkNode(offer.link)
            is_split = len(offer.inner) > 1 or not prefix or is_real(path)
            is_new = offer.inner not in on_the_way
            if path in DIRECTORIES or (offer.is_directory and is_split and is_new):
                if offer.inner:
                    tree[path] = DirectoryNode(0o755)
                    lossless = prefix or len(offer.inner) == 1
                    instead = link if lossless and path not in DIRECTORIES else None
                    pending.append(_Pending(path, offer.inner, instead, merged))
            else:
                tree[path] = link
    return tree


def _offers(
    merged: _Pending, look: ListChildren, most: int, most_bytes: int
) -> tuple[dict[bytes, _Offer], int] | None:
    """The directories' entries by name, and the bytes of the names.

    None if they exceed a limit and can be replaced by a link; otherwise raises PackingFailed.
    """
    offers: dict[bytes, _Offer] = {}
    size = 0
    for directory in merged.directories:
        for child in look(directory):
            inner = () if child.directory is None else (child.directory,)
            offer = offers.get(child.name)
            length = 0
            if offer is None:
                link = directory + b"/" + child.name
                offers[child.name] = _Offer(link, bool(inner), inner)
                length = len(merged.path) + 1 + len(child.name)
                size += length + len(link)
            elif inner and inner[0] not in offer.inner:
                offer.inner += inner
            size += sum(map(len, inner))
            if len(offers) > most or size > most_bytes or length > MAX_PATH:
                if merged.instead:
                    return None
                raise PackingFailed(
                    f"{os.fsdecode(directory)} has too many entries for an image's root: "
                    f"at most {MOST_NEAR_ROOT} names are allowed"
                )
    return offers, size

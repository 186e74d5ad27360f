"""The image's root: links into the requested packages, and what programs expect of a system.

Input: the output paths of the packages, in order, and a way to look into them. Output: the tree,
as a mapping from name to node. Directories at the root are real. Below them,

    a/share/man/man1/x.1               share/               real: everything at the root is
    a/share/doc/x            merge     share/doc            one has it: a link to a/share/doc
    b/share/man/man1/y.1     ────►     share/man/           both have it: real
                                       share/man/man1/      both have it: real
                                       share/man/man1/x.1   a link to a/share/man/man1/x.1
                                       share/man/man1/y.1   a link to b/share/man/man1/y.1

Where two packages provide the same name the first wins, unless both have a directory there, or a
link to one. Links to directories can make a small package endless, and a directory can be larger
than memory; what is merged has bounds.

Nothing here reads a file: ``look`` does (see listing), and the same answers give the same tree.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from nixery.archive.tree import MAX_PATH
from nixery.errors import PackingFailed
from nixery.oci import WHITEOUT

MOST = 200_000
"""Entries of the tree; directories that would make more are not merged."""
MOST_NEAR_ROOT = 200_000
"""Entries at the root and in its directories, which are real also where one package has them."""
MOST_BYTES = 64 << 20
"""Bytes of their names and of where they lead: 320 for each."""


@dataclass(frozen=True, slots=True)
class Child:
    """A name in a package's directory."""

    name: bytes
    directory: bytes | None
    """The logical path of the directory that it is or leads to; None for everything else."""


ListChildren = Callable[[bytes], Iterable[Child]]
"""The children of a directory by its logical path, ``/nix/store/…``; none where it is no
directory. They need not all be in memory at once."""


@dataclass(frozen=True, slots=True)
class DirectoryNode:
    mode: int


@dataclass(frozen=True, slots=True)
class LinkNode:
    target: bytes


@dataclass(frozen=True, slots=True)
class TextNode:
    content: bytes


Node = DirectoryNode | LinkNode | TextNode
Tree = dict[bytes, Node]
"""By name, without slashes at its ends; parents before children, names sorted by their bytes."""

_NEVER_TAKEN = frozenset({b"nix-support", b"nix", b"tmp", b"proc", b"sys", b"dev"})
"""At the root: Nix's notes to itself, the store, and what belongs to the container's runtime."""

_DIRECTORIES: Tree = {
    b"etc": DirectoryNode(0o755),
    b"root": DirectoryNode(0o700),
    b"tmp": DirectoryNode(0o1777),
    b"var": DirectoryNode(0o755),
    b"var/empty": DirectoryNode(0o555),
}
"""In every image. /var/empty is a home that nobody can write to."""

_ALWAYS_REAL = frozenset({*_DIRECTORIES, b"usr", b"usr/bin"})
"""Where something of ours may have to lie beside what packages provide."""

_FILES: Tree = {
    b"etc/passwd": TextNode(
        b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/var/empty:/bin/false\n"
    ),
    b"etc/group": TextNode(b"root:x:0:\nnobody:x:65534:\n"),
    b"etc/nsswitch.conf": TextNode(
        b"passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
        b"protocols: files\nservices: files\n"
    ),
}
"""In every image whose packages bring none of their own."""


def merge(outputs: Sequence[bytes], look: ListChildren) -> Tree:
    """The tree for these store paths, of which the first wins.

    Raises PackingFailed where the root, or a directory of it that must be real, would be too much.
    """
    found = _merged(tuple(dict.fromkeys(outputs)), look) | _DIRECTORIES
    tree = _FILES | found
    env = tree.get(b"bin/env")
    if isinstance(env, LinkNode):
        # Scripts that begin with #!/usr/bin/env are why.
        usr = DirectoryNode(0o755)
        tree = {b"usr": usr, b"usr/bin": usr, b"usr/bin/env": env, **tree}
    # As if split at the slashes: no name has a zero, and what it is compared with is greater.
    return dict(sorted(tree.items(), key=lambda item: item[0].replace(b"/", b"\0")))


_Directories = tuple[bytes, ...]
"""What provides a name, without repetition, first one first."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """Directories that are to be merged at a path of the tree."""

    path: bytes
    directories: _Directories
    instead: LinkNode | None = None
    """What takes their place if they are too much; None where the directory must be real."""
    above: "_Pending | None" = None
    """What is being merged one directory further up."""

    @property
    def is_near_root(self) -> bool:
        return b"/" not in self.path or self.path in _ALWAYS_REAL

    def on_the_way(self) -> Iterator[_Directories]:
        """Those being merged already on the way to it, and its own."""
        pending: _Pending | None = self
        while pending:
            yield pending.directories
            pending = pending.above


@dataclass(slots=True)
class _Offer:
    """What directories have under a name."""

    link: bytes
    """To what the first of them has."""
    is_directory: bool
    """What the first one has."""
    inner: _Directories
    """Those that are directories."""


def _merged(outputs: _Directories, look: ListChildren) -> Tree:
    """What the packages hold.

    Links may lead back up, which has no end, and to and fro between directories, which has one
    beyond all bounds. So no directories are merged within themselves, nor where the tree has
    enough entries: the first of them is linked to instead.
    """
    tree: Tree = {}
    size = 0
    # One level after another, in order, so that the same are left in every store; no recursion,
    # because directories may be nested as deeply as a path can say.
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
                continue  # a package could empty the image with the former
            path = prefix + name
            link = LinkNode(offer.link)
            several = (len(offer.inner) > 1 or not prefix) and offer.inner not in on_the_way
            if path in _ALWAYS_REAL or (offer.is_directory and several):
                if offer.inner:
                    tree[path] = DirectoryNode(0o755)
                    lossless = prefix or len(offer.inner) == 1
                    instead = link if lossless and path not in _ALWAYS_REAL else None
                    pending.append(_Pending(path, offer.inner, instead, merged))
            else:
                tree[path] = link
    return tree


def _offers(
    merged: _Pending, look: ListChildren, most: int, most_bytes: int
) -> tuple[dict[bytes, _Offer], int] | None:
    """By name, what the directories have there; and the bytes of it.

    None where that is too much, and something can take its place; else raises PackingFailed.
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
                    f"{os.fsdecode(directory)} has too much for an image's root, which holds "
                    f"{MOST_NEAR_ROOT} names at most"
                )
    return offers, size

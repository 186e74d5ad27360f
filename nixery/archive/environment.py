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
link to one. Links to directories can make a small package endless; what is merged has bounds.

Nothing here reads a file: ``look`` does (see listing), and the same answers give the same tree.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from nixery.oci import WHITEOUT

MOST = 200_000
"""Entries of the tree, some 800 bytes each; directories that would make more are not merged."""


@dataclass(frozen=True, slots=True)
class Child:
    """A name in a package's directory."""

    name: bytes
    directory: bytes | None
    """The logical path of the directory that it is or leads to; None for everything else."""


Look = Callable[[bytes], Iterable[Child]]
"""The children of a directory by its logical path, ``/nix/store/…``; none where it is no
directory."""


@dataclass(frozen=True, slots=True)
class Directory:
    mode: int


@dataclass(frozen=True, slots=True)
class Link:
    target: bytes


@dataclass(frozen=True, slots=True)
class Text:
    content: bytes


Node = Directory | Link | Text
Tree = dict[bytes, Node]
"""By name, without slashes at its ends; parents before children, names sorted by their bytes."""

_NEVER_TAKEN = frozenset({b"nix-support", b"nix", b"tmp", b"proc", b"sys", b"dev"})
"""At the root: Nix's notes to itself, the store, and what belongs to the container's runtime."""

_DIRECTORIES: Tree = {
    b"etc": Directory(0o755),
    b"root": Directory(0o700),
    b"tmp": Directory(0o1777),
    b"var": Directory(0o755),
    b"var/empty": Directory(0o555),
}
"""In every image. /var/empty is a home that nobody can write to."""

_ALWAYS_REAL = frozenset({*_DIRECTORIES, b"usr", b"usr/bin"})
"""Where something of ours may have to lie beside what packages provide."""

_FILES: Tree = {
    b"etc/passwd": Text(
        b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/var/empty:/bin/false\n"
    ),
    b"etc/group": Text(b"root:x:0:\nnobody:x:65534:\n"),
    b"etc/nsswitch.conf": Text(
        b"passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
        b"protocols: files\nservices: files\n"
    ),
}
"""In every image whose packages bring none of their own."""


def merge(outputs: Sequence[bytes], look: Look) -> Tree:
    """The tree for these store paths, of which the first wins."""
    found = _merged(tuple(dict.fromkeys(outputs)), look) | _DIRECTORIES
    tree = _FILES | found
    env = tree.get(b"bin/env")
    if isinstance(env, Link):
        # Scripts that begin with #!/usr/bin/env are why.
        usr = Directory(0o755)
        tree = {b"usr": usr, b"usr/bin": usr, b"usr/bin/env": env, **tree}
    return dict(sorted(tree.items(), key=lambda item: item[0].split(b"/")))


_Directories = tuple[bytes, ...]
"""What provides a name, without repetition, first one first."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """Directories that are to be merged at a path of the tree."""

    path: bytes
    directories: _Directories
    above: tuple[_Directories, ...] = ()
    """Those being merged already on the way to it."""
    instead: Link | None = None
    """What takes their place if they are too much; None at the root, where directories are real."""


def _merged(outputs: _Directories, look: Look) -> Tree:
    """What the packages hold.

    Links may lead back up, which has no end, and to and fro between directories, which has one
    beyond all bounds. So no directories are merged within themselves, nor where the tree has
    enough entries: the first of them is linked to instead.
    """
    tree: Tree = {}
    # One level after another, in order, so that the same are left in every store; no recursion,
    # because directories may be nested as deeply as a path can say.
    pending: deque[_Pending] = deque([_Pending(b"", outputs)])
    while pending:
        merged = pending.popleft()
        prefix = merged.path and merged.path + b"/"
        offers = _offers(merged.directories, look)
        if merged.instead and len(tree) + len(offers) > MOST:
            tree[merged.path] = merged.instead
            continue
        above = (*merged.above, merged.directories)
        for name, offered in sorted(offers.items()):
            if name.startswith(WHITEOUT) or (not prefix and name in _NEVER_TAKEN):
                continue  # a package could empty the image with the former
            path = prefix + name
            inner = tuple(dict.fromkeys(c.directory for _, c in offered if c.directory is not None))
            first_directory, first = offered[0]
            link = Link(first_directory + b"/" + name)
            several = (len(inner) > 1 or not prefix) and inner not in above
            if path in _ALWAYS_REAL or (first.directory is not None and several):
                if inner:
                    tree[path] = Directory(0o755)
                    instead = link if prefix and path not in _ALWAYS_REAL else None
                    pending.append(_Pending(path, inner, above, instead))
            else:
                tree[path] = link
    return tree


def _offers(directories: _Directories, look: Look) -> dict[bytes, list[tuple[bytes, Child]]]:
    """By name, which of the directories have something there."""
    offers: dict[bytes, list[tuple[bytes, Child]]] = {}
    for directory in directories:
        for child in look(directory):
            offers.setdefault(child.name, []).append((directory, child))
    return offers

"""Standard entries of an image's root: what programs and container runtimes expect there. Pure.

directories     real in every image, because files are mounted, copied or written into them
passwd, group   regular files, because runtimes open them from outside of the container, where
links into /nix/store lead nowhere
certificates    the bundle of the packages, under the names that OpenSSL, GnuTLS, Go and
programs of other distributions look for
time zones      /share/zoneinfo of the packages, where glibc and others look for it
locales         /lib/locale/locale-archive of the packages, likewise
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DirectoryNode:
    mode: int
    owner: int = 0
    """Id of the user and the group."""


@dataclass(frozen=True, slots=True)
class LinkNode:
    target: bytes


@dataclass(frozen=True, slots=True)
class TextNode:
    content: bytes


Node = DirectoryNode | LinkNode | TextNode
Tree = dict[bytes, Node]
"""By name, without slashes at its ends; parents before children, sorted by bytes."""

ReadFile = Callable[[bytes], bytes | None]
"""The content of a file by its logical path; None if it is missing or not a regular file."""

_SHARED = DirectoryNode(0o755)
DIRECTORIES: Tree = {
    b"etc": _SHARED,
    b"home": _SHARED,
    b"opt": _SHARED,
    b"root": DirectoryNode(0o700),
    b"run": _SHARED,
    b"tmp": DirectoryNode(0o1777),
    b"usr": _SHARED,
    b"usr/bin": _SHARED,
    b"usr/local": _SHARED,
    b"usr/local/bin": _SHARED,
    b"var": _SHARED,
    b"var/empty": DirectoryNode(0o555),
    b"var/tmp": DirectoryNode(0o1777),
}
"""In every image. /var/empty is a home directory that is not writable."""

_FIRST_LEVEL = frozenset({b"bin", b"sbin", b"lib", b"share"})

_ROOT_USER = b"root:x:0:0:root:/root:/bin/sh"
_NOBODY = b"nobody:x:65534:65534:nobody:/var/empty:/bin/false"
_FILES = {
    b"etc/passwd": (_ROOT_USER, _NOBODY),
    b"etc/group": (b"root:x:0:", b"nobody:x:65534:"),
    b"etc/nsswitch.conf": (
        *(b"passwd: files", b"group: files", b"shadow: files", b"hosts: files dns"),
        *(b"networks: files", b"protocols: files", b"services: files"),
    ),
}
"""Lines of files that are regular in every image; a package's own lines have priority."""

NONROOT = 65532
"""Id of the user ``nonroot``, as in distroless images."""
_NONROOT_FILES = {
    b"etc/passwd": (b"nonroot:x:%d:%d:nonroot:/home/nonroot:/bin/sh" % (NONROOT, NONROOT),),
    b"etc/group": (b"nonroot:x:%d:" % NONROOT,),
}
_NONROOT_DIRECTORIES: Tree = {b"home/nonroot": DirectoryNode(0o700, NONROOT)}

_BUNDLES = (
    b"etc/ssl/certs/ca-bundle.crt",
    b"etc/ssl/certs/ca-certificates.crt",
    b"etc/pki/tls/certs/ca-bundle.crt",
)
_ZONES = b"share/zoneinfo"
_FILE_PLACES = (
    (b"lib/locale/locale-archive", b"usr/lib/locale/locale-archive"),
    (b"bin/env", b"usr/bin/env"),  # for scripts that start with #!/usr/bin/env
)
"""Files of packages, and where programs look for them."""


def is_real(path: bytes) -> bool:
    """Whether a directory should be real even if only one package has it.

    A layer that is added without a runtime would otherwise replace the link, and lose what was
    below it.
    """
    parent, _, _ = path.rpartition(b"/")
    return path.startswith(b"etc/") or parent in _FIRST_LEVEL


def add_standard_entries(tree: Tree, read: ReadFile, *, nonroot: bool) -> Tree:
    """The tree with all of them, unsorted. ``nonroot``: with a user of that name and its home."""
    complete = tree | DIRECTORIES | (_NONROOT_DIRECTORIES if nonroot else {})
    for name, lines in _FILES.items():
        users = _NONROOT_FILES.get(name, ()) if nonroot else ()
        complete[name] = _file(complete.get(name), (*lines, *users), read)
    bundle = next((node for name in _BUNDLES if (node := complete.get(name))), None)
    if isinstance(bundle, LinkNode):
        for name in _BUNDLES:
            _add(complete, name, bundle)
    for source, place in _FILE_PLACES:
        if isinstance(node := complete.get(source), LinkNode):
            _add(complete, place, node)
    if _ZONES in complete:
        for place in (b"etc/zoneinfo", b"usr/share/zoneinfo"):
            _add(complete, place, LinkNode(b"/" + _ZONES))
    return complete


def _file(node: Node | None, lines: tuple[bytes, ...], read: ReadFile) -> TextNode:
    own = read(node.target) if isinstance(node, LinkNode) else None
    present = (own or b"").splitlines()
    known = {line.partition(b":")[0] for line in present}
    missing = [line for line in lines if line.partition(b":")[0] not in known]
    return TextNode(b"".join(line + b"\n" for line in [*present, *missing]))


def _add(tree: Tree, name: bytes, node: Node) -> None:
    """Adds an entry and its directories, unless there is one, or it would be inside of a link."""
    parts = name.split(b"/")
    parents = [b"/".join(parts[:depth]) for depth in range(1, len(parts))]
    if name in tree or any(isinstance(tree.get(path), LinkNode) for path in parents):
        return
    for path in parents:
        tree.setdefault(path, _SHARED)
    tree[name] = node

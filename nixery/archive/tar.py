"""Tar headers with fixed metadata: owners without names, modification time 1.

    >>> len(header(b"nix/store/", 0o755, Type.DIRECTORY))
    512
    >>> len(header(b"nix/store/" + 300 * b"x", 0o444, Type.FILE, 5))
    2048

A header has 512 bytes, preceded by a pax extended header if ustar's fields are too small for the
name, the link target or the size.

Names are bytes. Those that are not UTF-8 are written unchanged, in either header: Go's archive/tar,
GNU tar and Python's tarfile return the same bytes.

Format: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
"""

from enum import Enum
from struct import Struct

RECORD = 512
END = bytes(2 * RECORD)
"""Two records of zeros end an archive."""


class Type(Enum):
    FILE = b"0"
    HARD_LINK = b"1"
    SYMLINK = b"2"
    DIRECTORY = b"5"
    PAX = b"x"


# name, mode, uid, gid, size, mtime, checksum, type, link name, magic and version, user, group,
# device major and minor, prefix
_FIELDS = Struct("100s 8s 8s 8s 12s 12s 8s c 100s 8s 32s 32s 8s 8s 155s 12x")
_DEVICE = b"0000000"
_MTIME = b"00000000001"
_MAGIC = b"ustar\x0000"
_CONSTANT_SUM = 2 * sum(_DEVICE) + sum(_MTIME) + sum(_MAGIC) + 8 * ord(" ")
"""For the checksum, its own field counts as spaces."""
_MAX_NAME = 100
_MAX_PREFIX = 155
_MAX_SIZE = 0o77777777777  # 8 GiB - 1


def header(  # noqa: PLR0913, PLR0917 - the fields that differ between entries
    name: bytes, mode: int, kind: Type, size: int = 0, link: bytes = b"", owner: int = 0
) -> bytes:
    """The header before an entry's content.

    ``name`` is relative, and ends in a slash for a directory. ``size``: bytes of the content.
    ``link``: a symlink's target, or the name of the entry that a hard link refers to. ``owner``: id
    of the user and the group.
    """
    pax = b""
    prefix, short = b"", name
    if len(name) > _MAX_NAME:
        prefix, short = _split(name)
        if not short:
            pax += _pax_record(b"path", name)
            short = name[:_MAX_NAME]
    if len(link) > _MAX_NAME:
        pax += _pax_record(b"linkpath", link)
        link = link[:_MAX_NAME]
    if size > _MAX_SIZE:
        pax += _pax_record(b"size", b"%d" % size)
        size = 0
    ustar = _ustar(short, mode, kind, size, prefix=prefix, link=link, owner=owner)
    if not pax:
        return ustar
    extended = _ustar(b"././@PaxHeader", 0o644, Type.PAX, len(pax))
    return extended + pax + padding(len(pax)) + ustar


def padding(size: int) -> bytes:
    """The zeros after ``size`` bytes of content."""
    return bytes(-size % RECORD)


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Prefix and name that ustar joins with a slash; both empty if there is no suitable slash."""
    slash = name.find(b"/", len(name) - _MAX_NAME - 1)
    if not 0 < slash <= _MAX_PREFIX or slash == len(name) - 1:
        return b"", b""
    return name[:slash], name[slash + 1 :]


def _pax_record(key: bytes, value: bytes) -> bytes:
    """``<length> <key>=<value>`` and a line feed; the length includes its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))  # the length may have got one more digit
    return b"%d %s=%s\n" % (length, key, value)


def _ustar(  # noqa: PLR0913 - the fields that differ between headers
    name: bytes,
    mode: int,
    kind: Type,
    size: int,
    *,
    prefix: bytes = b"",
    link: bytes = b"",
    owner: int = 0,
) -> bytes:
    octal_mode, octal_size, flag = b"%07o" % mode, b"%011o" % size, kind.value
    octal_owner = b"%07o" % owner
    # The sum of all 512 bytes; the sum of the constant fields is computed once.
    checksum = (
        _CONSTANT_SUM
        + sum(name)
        + sum(octal_mode)
        + sum(octal_size)
        + 2 * sum(octal_owner)
        + sum(flag)
        + sum(link)
        + sum(prefix)
    )
    return _FIELDS.pack(
        *(name, octal_mode, octal_owner, octal_owner, octal_size, _MTIME, b"%06o\0 " % checksum),
        *(flag, link, _MAGIC, b"", b"", _DEVICE, _DEVICE, prefix),
    )

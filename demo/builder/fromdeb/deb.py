"""Reader of Debian packages: an ar archive that holds two compressed tar archives.

Source: deb(5), https://manpages.debian.org/bookworm/dpkg-dev/deb.5.en.html
"""

import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

_AR_MAGIC = b"!<arch>\n"
_HEADER = 60  # name 16, mtime 12, uid 6, gid 6, mode 8, size 10, end 2


class NotADeb(ValueError):
    """The file is not a Debian package, or is truncated."""


def open_part(deb: Path, part: Literal["control", "data"]) -> tarfile.TarFile:
    """The archive of maintainer scripts or of files, a stream that can be read once.

    Raises NotADeb.
    """
    for name, content in _ar_members(deb):
        if name.startswith(f"{part}.tar"):
            return tarfile.open(fileobj=_decompress(name, content), mode="r|", bufsize=1 << 20)
    raise NotADeb(f"{deb.name} has no {part}.tar")


def read_files(deb: Path) -> Iterator[tuple[str, tarfile.TarInfo, tarfile.TarFile]]:
    """Every entry except the root, with its path without the leading ``./``."""
    with open_part(deb, "data") as archive:
        for entry in archive:
            path = clean(entry.name)
            if path:
                yield path, entry, archive


def clean(path: str) -> str:
    """A path as the rest of this package expects it.

    >>> clean("./usr/bin/")
    'usr/bin'
    """
    return path.removeprefix(".").strip("/")


def _ar_members(deb: Path) -> Iterator[tuple[str, bytes]]:
    with deb.open("rb") as file:
        if file.read(len(_AR_MAGIC)) != _AR_MAGIC:
            raise NotADeb(f"{deb.name} is not a Debian package")
        while header := file.read(_HEADER):
            if len(header) != _HEADER:
                raise NotADeb(f"{deb.name} is truncated")
            size = int(header[48:58])
            content = file.read(size)
            if len(content) != size:
                raise NotADeb(f"{deb.name} is truncated")
            file.read(size % 2)  # members begin at even offsets
            yield header[:16].decode().rstrip().rstrip("/"), content


def _decompress(name: str, content: bytes) -> IO[bytes]:
    raw = io.BytesIO(content)
    if name.endswith(".xz"):
        return lzma.open(raw)
    if name.endswith(".gz"):
        return io.BytesIO(gzip.decompress(content))
    if name.endswith(".tar"):
        return raw
    raise NotADeb(f"{name}: unknown compression; known are xz, gzip and none")

"""Writes Debian packages and ELF files that are small enough to be read as a test's input."""

import io
import lzma
import struct
import tarfile
from pathlib import Path


def make_deb(path, files, *, links=None, postinst=None, compress=lzma.compress):
    """A package of ``files`` (path → content, or (content, mode)) and ``links`` (path → target)."""
    control = {} if postinst is None else {"./postinst": (postinst.encode(), 0o755)}
    suffix = ".xz" if compress is lzma.compress else ""
    members = [
        ("debian-binary", b"2.0\n"),
        ("_odd", b"1"),  # members of an odd size are followed by one more byte
        (f"control.tar{suffix}", compress(_tar(control, {}))),
        (f"data.tar{suffix}", compress(_tar(files, links or {}))),
    ]
    with Path(path).open("wb") as file:
        file.write(b"!<arch>\n")
        for name, content in members:
            header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
            file.write(header.encode() + content + b"\n" * (len(content) % 2))
    return Path(path)


def _tar(files, links):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, value in files.items():
            content, mode = value if isinstance(value, tuple) else (value, 0o644)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
        for name, target_path in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target_path
            archive.addfile(entry)
    return target.getvalue()


def make_elf(needed=(), soname=None, interpreter=None):
    """An ELF file with the entries for the dynamic linker, and nothing to run."""
    base = 0x400000
    strings, offsets = b"\0", []
    for name in (*needed, *([soname] if soname else [])):
        offsets.append(len(strings))
        strings += name.encode() + b"\0"
    tags = [(1, offset) for offset in offsets[: len(needed)]]
    tags += [(14, offsets[-1])] if soname else []
    count = 3 if interpreter else 2
    start = 64 + 56 * count
    dynamic = b""
    dynamic_size = 16 * (len(tags) + 2)
    for tag, value in [*tags, (5, base + start + dynamic_size), (0, 0)]:
        dynamic += struct.pack("<qQ", tag, value)
    interp = interpreter.encode() + b"\0" if interpreter else b""
    body = dynamic + strings + interp
    size = start + len(body)
    headers = [(1, 0, base, size), (2, start, base + start, len(dynamic))]
    if interpreter:
        headers.append((3, size - len(interp), base + size - len(interp), len(interp)))
    table = b"".join(
        struct.pack("<IIQQQQQQ", kind, 4, offset, address, address, length, length, 8)
        for kind, offset, address, length in headers
    )
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = identity + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    return head + table + body

"""Reader of the dynamic section of 64-bit little-endian ELF files.

Source: elf(5), https://man7.org/linux/man-pages/man5/elf.5.html
"""

import struct
from dataclasses import dataclass

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_SONAME = 0, 1, 5, 14


@dataclass(frozen=True, slots=True)
class Dynamic:
    """Names of the libraries that a file needs, its own name, and the path of its loader."""

    needed: tuple[str, ...]
    soname: str | None
    interpreter: str | None


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def is_elf(head: bytes) -> bool:
    return head.startswith(_MAGIC)


def read(content: bytes) -> Dynamic | None:
    """None if the file is not ELF, is linked statically, or is broken."""
    if not is_elf(content):
        return None
    try:
        segments = _segments(content)
        dynamic = next((s for s in segments if s.kind == _PT_DYNAMIC), None)
        if dynamic is None:
            return None
        return _read_dynamic(content, segments, dynamic)
    except (struct.error, ValueError):
        return None  # such as files whose debug information was split off


def _segments(content: bytes) -> list[_Segment]:
    (table,) = struct.unpack_from("<Q", content, 32)
    entry_size, count = struct.unpack_from("<HH", content, 54)
    found = []
    for index in range(count):
        kind, _flags, offset, address, _physical, size, _memory, _align = struct.unpack_from(
            "<IIQQQQQQ", content, table + index * entry_size
        )
        found.append(_Segment(kind, offset, address, size))
    return found


def _read_dynamic(content: bytes, segments: list[_Segment], dynamic: _Segment) -> Dynamic | None:
    entries: list[tuple[int, int]] = []
    for tag, value in struct.iter_unpack(
        "<qQ", content[dynamic.offset : dynamic.offset + dynamic.size]
    ):
        if tag == _DT_NULL:
            break
        entries.append((tag, value))
    strings_address = next((value for tag, value in entries if tag == _DT_STRTAB), None)
    if strings_address is None:
        return None
    strings = _file_offset(segments, strings_address)

    def text(offset: int) -> str:
        start = strings + offset
        return content[start : content.index(b"\0", start)].decode()

    interpreter = next((s for s in segments if s.kind == _PT_INTERP), None)
    return Dynamic(
        needed=tuple(text(value) for tag, value in entries if tag == _DT_NEEDED),
        soname=next((text(value) for tag, value in entries if tag == _DT_SONAME), None),
        interpreter=None
        if interpreter is None
        else content[interpreter.offset : interpreter.offset + interpreter.size]
        .rstrip(b"\0")
        .decode(),
    )


def _file_offset(segments: list[_Segment], address: int) -> int:
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    raise ValueError("the string table is not in a segment")

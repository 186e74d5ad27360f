"""ELF files: their entries for the dynamic linker."""

import struct
from pathlib import Path

import pytest
from fromdeb import elf
from support.demo.debs import make_elf


def test_libraries_and_loader_of_a_program():
    content = make_elf(["libz.so.1", "libc.so.6"], interpreter="/lib64/ld-linux-x86-64.so.2")
    assert elf.read(content) == elf.Dynamic(
        needed=("libz.so.1", "libc.so.6"),
        soname=None,
        interpreter="/lib64/ld-linux-x86-64.so.2",
    )


def test_soname_of_a_library():
    content = make_elf(["libc.so.6"], soname="libz.so.1")
    assert elf.read(content) == elf.Dynamic(("libc.so.6",), "libz.so.1", None)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"#!/bin/sh\n", id="script"),
        pytest.param(b"\x7fELF\x01\x01" + bytes(100), id="32 bits"),
        pytest.param(make_elf(["libc.so.6"])[:200], id="cut off"),
        pytest.param(make_elf(["libc.so.6"])[:40], id="header cut off"),
        pytest.param(
            make_elf(["libc.so.6"]).replace(struct.pack("<qQ", 1, 1), struct.pack("<qQ", 5, 1)),
            id="no names where they should be",
        ),
    ],
)
def test_none_for_unknown_files(content):
    assert elf.read(content) is None


def test_a_real_program():
    """The interpreter that runs the tests is linked to the C library, or to one that is."""
    found = elf.read(Path("/bin/true").resolve().read_bytes())
    assert found is not None
    assert "libc.so.6" in found.needed

"""Debian packages: reading them, and the places of their files."""

import pytest
from debset import scan
from fromdeb.deb import NotADeb, read_files
from fromdeb.layout import is_dropped, is_man, mapped
from support.demo.debs import make_deb, make_elf


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("usr/bin/git", "bin/git"),
        ("bin/sh", "bin/sh"),
        ("usr/sbin/nginx", "bin/nginx"),
        ("usr/games/cowsay", "bin/cowsay"),
        ("lib/x86_64-linux-gnu/libc.so.6", "lib/libc.so.6"),
        ("/usr/lib/aarch64-linux-gnu", "lib"),
        ("lib64/ld-linux-x86-64.so.2", "lib/ld-linux-x86-64.so.2"),
        ("usr/lib/git-core/git", "lib/git-core/git"),
        ("usr/sbinaries", "sbinaries"),
        ("etc/ssl/openssl.cnf", "etc/ssl/openssl.cnf"),
    ],
)
def test_place_in_a_store_path(path, place):
    assert mapped(path) == place


@pytest.mark.parametrize(
    ("path", "dropped"),
    [
        ("usr/share/doc/git/README", True),
        ("usr/share/documents", False),
        ("usr/share/man/man1/git.1.gz", False),
        ("usr/share/man/de/man1/ls.1.gz", True),
        ("var/lib/x", True),
        ("usr/lib/systemd/system/x.service", True),
        ("etc/default/x", True),
        ("etc/defaults", False),
    ],
)
def test_omitted_files(path, dropped):
    assert is_dropped(path) is dropped


def test_manual_pages_are_known():
    assert is_man("usr/share/man/man1/git.1.gz")
    assert not is_man("usr/share/man/fr/man1/git.1.gz")


@pytest.mark.parametrize("compress", [None, bytes], ids=["xz", "plain"])
def test_files_of_a_package(tmp_path, compress):
    options = {} if compress is None else {"compress": compress}
    deb = make_deb(tmp_path / "a.deb", {"./usr/bin/a": b"A" * 3}, links={"./b": "a"}, **options)
    found = {}
    for path, entry, archive in read_files(deb):
        file = archive.extractfile(entry) if entry.isfile() else None
        found[path] = file.read() if file else entry.linkname
    assert found == {"usr/bin/a": b"AAA", "b": "a"}


@pytest.mark.parametrize("cut", [0, 100, -1], ids=["empty", "header", "last byte"])
def test_a_package_that_is_cut_off(tmp_path, cut):
    deb = make_deb(tmp_path / "a.deb", {"./a": b"a"}, compress=bytes)
    deb.write_bytes(deb.read_bytes()[:cut])
    with pytest.raises(NotADeb):
        list(read_files(deb))


def test_scan_lists_what_a_package_has_and_needs(tmp_path):
    deb = make_deb(
        tmp_path / "a.deb",
        {
            "./usr/lib/x86_64-linux-gnu/libz.so.1.2": make_elf(["libc.so.6"], soname="libz.so.1"),
            "./usr/lib/x86_64-linux-gnu/deep/er/plugin.so": make_elf(["libz.so.1"]),
            "./usr/bin/a": (make_elf(["libm.so.6"], interpreter="/lib64/ld.so"), 0o755),
            "./usr/bin/b": (b"#!/usr/bin/env perl\n", 0o755),
            "./usr/share/c": b"#!/usr/bin/ruby\n",
            "./usr/share/doc/d": (b"#!/usr/bin/tclsh\n", 0o755),
            "./usr/share/man/man1/a.1.gz": b"",
        },
        postinst="update-alternatives --install /usr/bin/vi vi \\\n  /usr/bin/a 30\n",
    )
    assert scan.scan(deb) == scan.Contents(
        provides=("libz.so.1", "libz.so.1.2"),
        needs=("ld.so", "libc.so.6", "libm.so.6", "libz.so.1"),
        interpreters=("perl",),
        links=(("/usr/bin/vi", "/usr/bin/a"),),
        has_man=True,
    )


def test_what_was_scanned_can_be_kept(tmp_path):
    contents = scan.scan(make_deb(tmp_path / "a.deb", {"./a": b""}))
    assert scan.from_json({k: _listed(v) for k, v in contents.as_json.items()}) == contents


def _listed(value):
    """As it comes back from JSON."""
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    ("head", "program"),
    [
        (b"#!/bin/sh\n", "sh"),
        (b"#! /usr/bin/perl -w\n", "perl"),
        (b"#!/usr/bin/env python3\n", "python3"),
        (b"#!/usr/bin/env -S node --x\n", "node"),
        (b"#!\n", None),
        (b"\x7fELF", None),
    ],
)
def test_interpreter_of_a_script(head, program):
    assert scan.interpreter(head) == program


def test_alternatives_with_variables_are_left_out():
    script = "update-alternatives --install /usr/bin/$x x /usr/bin/$x 1 --slave /a a /b"
    assert scan.alternatives(script) == [("/a", "/b")]

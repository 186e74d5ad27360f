"""Headers, as other programs read them."""

import subprocess
import tarfile

import pytest

from nixery.archive.tar import END, RECORD, Type, header, padding


def parse(data):
    """The entry that a header of one record describes."""
    return tarfile.TarInfo.frombuf(data, "utf-8", "surrogateescape")


def test_a_header_has_every_byte_fixed():
    """The whole header: a changed byte would change every digest."""
    expected = b"".join(
        (
            b"nix/store/x".ljust(100, b"\0"),
            b"0000555\0" + b"0000000\0" + b"0000000\0",
            b"00000000005\0" + b"00000000001\0",
            b"011326\0 " + b"0",
            bytes(100),
            b"ustar\0" + b"00" + bytes(64),
            b"0000000\0" + b"0000000\0",
            bytes(155 + 12),
        )
    )
    assert header(b"nix/store/x", 0o555, Type.FILE, 5) == expected


def test_an_entry_has_no_owner_and_no_time():
    info = parse(header(b"nix/store/x", 0o444, Type.FILE, 5))
    assert (info.uid, info.gid, info.uname, info.gname, info.mtime) == (0, 0, "", "", 1)


def names():
    """Lengths and places of a slash around the limits of ustar's name, prefix, and both."""
    for length in (1, 99, 100, 101, 102, 155, 200, 255, 256, 257, 300, 600):
        for slash in (None, 1, 50, 100, 150, 154, 155, 156, 200):
            name = f"{length}.{slash}.".encode().ljust(length, b"n")[:length]
            if slash is None:
                yield name
            elif slash < length - 1:
                yield name[:slash] + b"/" + name[slash + 1 :]


@pytest.mark.parametrize("kind", [Type.FILE, Type.DIRECTORY])
def test_names_of_any_length_are_read_back(tmp_path, kind):
    """Whether they fit ustar's name, its prefix and name, or need a pax record."""
    end = b"/" if kind == Type.DIRECTORY else b""
    archive = tmp_path / "archive.tar"
    headers = [header(name + end, 0o555, kind) for name in names()]
    archive.write_bytes(b"".join(headers) + END)
    with tarfile.open(archive) as entries:
        assert [entry.name.encode() for entry in entries] == list(names())
    listed = subprocess.run(["tar", "tf", archive], check=True, capture_output=True)
    assert listed.stderr == b""
    assert listed.stdout.splitlines() == [name + end for name in names()]


def test_pax_is_used_only_where_ustar_does_not_do():
    with_prefix = b"p" * 155 + b"/" + b"n" * 100
    assert len(header(with_prefix, 0o444, Type.FILE)) == RECORD
    assert len(header(with_prefix + b"n", 0o444, Type.FILE)) == 3 * RECORD
    assert len(header(b"f", 0o444, Type.FILE, 0o77777777777)) == RECORD
    assert len(header(b"f", 0o444, Type.FILE, 0o77777777777 + 1)) == 3 * RECORD


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param((b"n" * 100, 0o444, Type.FILE), id="a name"),
        pytest.param((b"n" * 99 + b"/", 0o555, Type.DIRECTORY), id="a directory"),
        pytest.param((b"n", 0o777, Type.SYMLINK, 0, b"l" * 100), id="a target"),
    ],
)
def test_what_fills_its_field_needs_no_pax(entry):
    """It needs no NUL at its end; a pax header would change the digest of every such layer."""
    assert len(header(*entry)) == RECORD


def test_no_prefix_stands_beside_a_name_in_a_pax_record():
    """A directory whose one name does not fit, so that only its last slash is near enough."""
    ustar = header(b"d/" + b"n" * 101 + b"/", 0o555, Type.DIRECTORY)[-RECORD:]
    assert ustar[345:500] == bytes(155)


@pytest.mark.parametrize("length", range(984, 994))
def test_a_pax_record_includes_its_own_length(length):
    """Around the length whose decimal count has one more digit."""
    record = header(b"n" * length, 0o444, Type.FILE)[RECORD:]
    count = int(record.split(b" ")[0])
    assert record[count - 1 : count] == b"\n"
    assert record[count : count + 1] == b"\0"


@pytest.mark.parametrize("size", [0o77777777777, 0o77777777777 + 1, 9 << 30])
def test_a_file_of_more_than_8_gib_keeps_its_size(tmp_path, size):
    """Read by Python and by GNU tar, from a sparse archive of that size."""
    archive = tmp_path / "archive.tar"
    start = header(b"nix/store/big", 0o444, Type.FILE, size)
    archive.write_bytes(start)
    with archive.open("r+b") as file:
        file.truncate(len(start) + size + len(padding(size)) + len(END))
    with tarfile.open(archive) as entries:
        assert [entry.size for entry in entries] == [size]
    listed = subprocess.run(["tar", "tvf", archive], check=True, capture_output=True, text=True)
    assert listed.stdout.split()[2] == str(size)


@pytest.mark.parametrize(("size", "zeros"), [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)])
def test_content_is_padded_to_whole_records(size, zeros):
    assert padding(size) == bytes(zeros)

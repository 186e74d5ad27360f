"""Store paths of a hostile author: packed as they are, or refused in one line."""

import os
import socket
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from nixery.archive import Uncompressed, pack
from nixery.archive.contents import fill
from nixery.archive.tree import MAX_PATH, Directory, File, Walk
from nixery.errors import PackingFailed, StoreDamaged
from nixery.storage.memory import MemoryStorage

PATH = "/nix/store/hostile"
CANARY = b"of this machine, not of the package"
TERABYTE = 1 << 40


@pytest.fixture
def store_path(tmp_path):
    path = tmp_path / "root" / PATH[1:]
    path.mkdir(parents=True)
    return path


@pytest.fixture
def outside(tmp_path):
    """A directory of this machine with the names of one in the package."""
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "file").write_bytes(CANARY)
    return directory


class Interfering(MemoryStorage):
    """While the first block of a layer is written, something happens to the store."""

    def __init__(self, interfere):
        super().__init__()
        self._interfere = interfere

    @contextmanager
    def stage(self):
        with super().stage() as staging:
            write = staging.write

            def interfering(data):
                interfere, self._interfere = self._interfere, lambda: None
                interfere()
                write(data)

            staging.write = interfering
            yield staging


def packed(store_path, storage=None):
    """The archive, or rather all bytes that were stored."""
    storage = storage or MemoryStorage()
    pack([PATH], store_path.parents[2], storage, Uncompressed())
    return b"".join(storage.objects.values())


def test_all_names_that_a_file_system_takes_are_unpacked_again(store_path, tmp_path):
    names = [b"line\nfeed", b"\n", b"x" * 255, b"\xff\xfe", b"-rf", b" ", b"...", b"\x1b[2J", b"\\"]
    names.append(b"15 path=passwd\n")  # as a record of a pax header
    for name in map(os.fsdecode, names):
        (store_path / f"in-{name[:200]}").mkdir()
        (store_path / f"in-{name[:200]}" / name).write_text("content")
        (store_path / f"to-{name[:200]}").symlink_to(name)
    (tmp_path / "unpacked").mkdir()
    command = ["tar", "--extract", "--directory", tmp_path / "unpacked"]
    subprocess.run(command, input=packed(store_path), check=True)
    compare = [
        "diff",
        "--recursive",
        "--no-dereference",
        store_path,
        tmp_path / "unpacked" / PATH[1:],
    ]
    subprocess.run(compare, check=True)


@contextmanager
def deepened(directory, levels, name):
    """Directories in each other, as many as wanted; Python's own functions cannot remove them."""
    descriptor = os.open(directory, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=descriptor)
        descriptor = moved(descriptor, name)
    try:
        yield
    finally:
        for _ in range(levels):
            descriptor = moved(descriptor, "..")
            os.rmdir(name, dir_fd=descriptor)
        os.close(descriptor)


def moved(descriptor, name):
    """One level further; no path is as long as the whole way."""
    inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
    os.close(descriptor)
    return inner


@pytest.mark.parametrize(("levels", "name"), [(3_000, "d"), (20, "d" * 250)])
def test_a_path_that_is_too_long_for_systems_is_refused(store_path, levels, name):
    refused = pytest.raises(PackingFailed, match=f"^{PATH} .* more than 4095 bytes$")
    with deepened(store_path, levels, name), refused:
        packed(store_path)


def test_the_longest_path_is_packed_in_any_store(store_path):
    """Its place on this machine makes it longer than the kernel takes."""
    with deepened(store_path, (MAX_PATH - len(PATH)) // 2, "d"):
        assert b"/d" * 2000 in packed(store_path)


@pytest.mark.anyio
async def test_the_client_reads_why(registry):
    path = registry.nix.add("deep", {"share/deep": b""})
    with deepened(registry.nix.root / path[1:], 3000, "d"):
        async with registry.opened() as answers:
            with pytest.raises(PackingFailed, match=f"^{path} ") as refused:
                await answers.image("deep", "latest")
    assert refused.value.http_status("friendly") == 404
    assert str(registry.nix.root) not in refused.value.message


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as unbound:
        unbound.bind(str(path))


def make_device(path):
    try:
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        pytest.skip("only root makes devices")


KINDS = [os.mkfifo, make_socket, make_device]


@pytest.mark.parametrize("make", KINDS)
def test_what_no_package_holds_is_refused(store_path, make, monkeypatch):
    monkeypatch.chdir(store_path)  # a socket's path is short
    make(Path("special"))
    with pytest.raises(StoreDamaged, match="special is neither a file, a directory nor a symlink"):
        packed(store_path)


def test_a_file_that_grows_is_refused(store_path):
    (store_path / "a").write_bytes(bytes(3 << 20))

    def grow():
        with (store_path / "a").open("ab") as file:
            file.write(b"more")

    with pytest.raises(StoreDamaged, match="/a grew while it was read"):
        packed(store_path, Interfering(grow))


def test_a_link_that_takes_the_place_of_a_directory_is_not_followed(store_path, outside):
    (store_path / "a").write_bytes(bytes(3 << 20))
    (store_path / "b").mkdir()
    (store_path / "b/file").write_bytes(b"of the package")

    def replace():
        (store_path / "b").rename(store_path / "elsewhere")
        (store_path / "b").symlink_to(outside)

    storage = Interfering(replace)
    archive = packed(store_path, storage)  # its type when the walk reaches it
    assert CANARY not in archive
    assert str(outside).encode() in archive


@pytest.fixture
def in_directory(store_path):
    """A walk whose next entry is a file, and a way to replace the directory that it is in."""
    (store_path / "b").mkdir()
    (store_path / "b/file").write_bytes(b"of the package")
    with closing(Walk(bytes(store_path.parents[2]), PATH.encode())) as walk:
        entries = iter(walk)
        assert [type(next(entries)) for _ in range(2)] == [Directory, Directory]
        yield walk, entries


@pytest.mark.parametrize("make", KINDS)
def test_what_takes_the_place_of_a_file_is_not_waited_for(
    in_directory, store_path, make, monkeypatch
):
    """Opening a pipe without a writer would block forever."""
    walk, entries = in_directory
    file = next(entries)
    monkeypatch.chdir(store_path / "b")
    Path("file").unlink()
    make(Path("file"))
    with pytest.raises(StoreDamaged, match="/b/file "):
        fill(walk.open(file), memoryview(bytearray(file.size)), file.path, last=True)


def test_nor_is_one_that_is_there_before_it_is_opened(in_directory, store_path, outside):
    _, entries = in_directory
    (store_path / "b").rename(store_path / "elsewhere")
    (store_path / "b").symlink_to(outside)
    with pytest.raises(StoreDamaged, match="/b was replaced while it was read"):
        next(entries)


def test_nor_is_one_that_is_there_when_a_file_is_read(in_directory, store_path, outside):
    walk, entries = in_directory
    file = next(entries)
    (store_path / "b").rename(store_path / "elsewhere")
    (store_path / "b").symlink_to(outside)
    assert isinstance(file, File)
    with os.fdopen(walk.open(file), "rb") as content:
        assert content.read() == b"of the package"


def test_a_directory_that_is_moved_away_does_not_lead_out(in_directory, store_path, outside):
    """Its ``..`` is another directory then."""
    _, entries = in_directory
    next(entries)
    (store_path / "b").rename(outside / "b")
    with pytest.raises(StoreDamaged, match="/b was replaced while it was read"):
        list(entries)


@pytest.mark.anyio
@pytest.mark.parametrize("files", [["one"], ["one", "two"]], ids=["written", "compared first"])
async def test_a_terabyte_of_zeros_is_cancelled_without_clients(store_path, files):
    """They are read like other files, which would take hours."""
    (store_path / "a").write_bytes(bytes(3 << 19))  # a block and a half
    for name in files:
        with (store_path / name).open("wb") as file:
            file.truncate(TERABYTE)
    with anyio.CancelScope() as scope:

        def work():
            packed(store_path, Interfering(lambda: anyio.from_thread.run_sync(scope.cancel)))

        await anyio.to_thread.run_sync(work)
    assert scope.cancelled_caught

"""Anything except a regular file is treated as absent, and replaced when written."""

import os
import socket

import pytest
from structlog.testing import capture_logs

from nixery.cache.manifests import ManifestCache
from nixery.errors import StorageUnavailable
from nixery.host.regular_files import open_regular
from nixery.oci import Digest, digest_of
from nixery.storage import Condition, Stat, layer_key, put
from nixery.storage.filesystem import FilesystemStorage

DATA = b"a layer"
DIGEST = digest_of(DATA)
KEYS = ["layers/" + DIGEST.removeprefix("sha256:"), "builds/x", "tables/units/current"]


def make_directory(path):
    (path / "inside").mkdir(parents=True)
    (path / "inside" / "file").write_bytes(b"")


def make_socket(path):
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(path.parent)  # a socket's address has 108 bytes
    listener.bind(path.name)
    listener.close()


def make_link(path):
    """To a file that would do, were it in its place."""
    (path.parent / "elsewhere").write_bytes(DATA)
    path.symlink_to("elsewhere")


KINDS = {
    "fifo": os.mkfifo,
    "directory": make_directory,
    "socket": make_socket,
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "link to a file": make_link,
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch):
    monkeypatch.chdir(os.getcwd())  # noqa: PTH109 - goes back in the end
    return request.param


@pytest.fixture(params=KEYS)
def key(request):
    return request.param


@pytest.fixture
def storage(tmp_path, kind, key):
    path = tmp_path / key
    path.parent.mkdir(parents=True)
    KINDS[kind](path)
    return FilesystemStorage(tmp_path)


def seen(key):
    """A key's Stat as it may have been seen before."""
    return Stat(key, len(DATA), "1.7.1.1", 0.0)


def test_it_is_absent(storage, key):
    assert storage.stat(key) is None
    assert storage.read(key) is None
    assert storage.touch(seen(key)) is None
    assert storage.delete(seen(key)) is False
    with pytest.raises(FileNotFoundError):
        list(storage.pieces(seen(key)))
    assert storage.locate(DIGEST) is None
    storage.quarantine(Digest("sha256:" + "0" * 64))


def test_it_is_not_listed_and_logged_once(storage, key):
    with capture_logs() as logs:
        for _ in range(2):
            found = {stat.key for stat in storage.list(key.rpartition("/")[0] + "/")}
    assert key not in found
    said = [entry["path"] for entry in logs if entry["event"] == "not a regular file, ignored"]
    assert len(said) == len(set(said)) == 1


def test_what_belongs_there_takes_its_place(storage, key):
    assert storage.write(key, b"record", Condition.ABSENT)
    assert storage.read(key).data == b"record"


def test_a_blob_is_published_over_it(storage, tmp_path):
    blob = put(storage, DATA)
    assert storage.locate(blob.digest).path.read_bytes() == DATA
    assert not (tmp_path / layer_key(blob.digest)).is_symlink()


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "theirs").write_bytes(b"precious")
    (tmp_path / "storage" / "builds").mkdir(parents=True)
    (tmp_path / "storage/builds/x").symlink_to(tmp_path / "theirs")
    FilesystemStorage(tmp_path / "storage").write("builds/x", b"record")
    assert (tmp_path / "theirs").read_bytes() == b"precious"


def test_damaged_blobs_go_to_quarantine_past_a_directory(tmp_path):
    storage = FilesystemStorage(tmp_path)
    blob = put(storage, DATA)
    (tmp_path / layer_key(blob.digest)).write_bytes(b"b layer")
    make_directory(tmp_path / "quarantine" / DIGEST.removeprefix("sha256:"))
    storage.quarantine(blob.digest)
    assert (tmp_path / "quarantine" / DIGEST.removeprefix("sha256:")).read_bytes() == b"b layer"


def test_the_storages_directories_may_be_links_to_another_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage/layers").symlink_to(tmp_path / "disk")
    storage = FilesystemStorage(tmp_path / "storage")
    blob = put(storage, DATA)
    assert storage.locate(blob.digest).path.read_bytes() == DATA
    assert [stat.key for stat in storage.list("layers/")] == [layer_key(blob.digest)]


def test_a_file_instead_of_a_directory_is_explained(tmp_path):
    storage = FilesystemStorage(tmp_path)
    storage.check()
    (tmp_path / "plans").write_bytes(b"")
    assert storage.stat("plans/x") is None
    assert list(storage.list("plans/")) == []
    with pytest.raises(StorageUnavailable, match="File exists"):
        storage.write("plans/x", b"")


def test_directories_deeper_than_any_key_are_not_listed(tmp_path):
    """Directories may be nested deeply enough to exhaust the stack."""
    (tmp_path / "tables/units/deep").mkdir(parents=True)
    for directory in ("tables", "tables/units", "tables/units/deep"):
        (tmp_path / directory / "file").write_bytes(b"")
    listed = {stat.key for stat in FilesystemStorage(tmp_path).list("tables/")}
    assert listed == {"tables/file", "tables/units/file"}


def test_a_fifo_instead_of_the_lock_does_not_block(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    assert FilesystemStorage(tmp_path).write("builds/x", b"", Condition.ABSENT)


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_what_replaces_a_file_in_the_moment_of_opening_is_not_waited_for(
    tmp_path, kind, monkeypatch
):
    KINDS[kind](tmp_path / "file")
    monkeypatch.setattr("nixery.host.regular_files.look", lambda path: path.lstat())
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "file")


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_a_local_copy_of_a_manifest_that_is_not_a_file_is_a_miss(tmp_path, kind):
    storage = FilesystemStorage(tmp_path / "storage")
    cache = ManifestCache(storage, tmp_path / "state")
    KINDS[kind](tmp_path / "state" / ("0" * 64))
    assert cache.find("0" * 64) is None
    ManifestCache(storage, tmp_path / "state", max_files=0)  # another start trims

"""What only the file system storage does: order of syncs, leftovers, full disks."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nixery.errors import ConfigurationError, StorageFull, StorageUnavailable
from nixery.host.disk_space import Room
from nixery.storage import LocalFile, Unverified, layer_key, put
from nixery.storage.filesystem import FilesystemStorage


def test_nothing_stays_in_staging(tmp_path):
    storage = FilesystemStorage(tmp_path)
    put(storage, b"data")
    with storage.stage() as staging:
        staging.write(b"given up")
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_torn_blob_is_replaced(tmp_path):
    """The Go server could leave one; publishing the same content mends it."""
    storage = FilesystemStorage(tmp_path)
    blob = put(storage, b"whole")
    (tmp_path / layer_key(blob.digest)).write_bytes(b"who")
    put(storage, b"whole")
    assert (tmp_path / layer_key(blob.digest)).read_bytes() == b"whole"


def test_blobs_are_readable_for_a_web_server(tmp_path):
    storage = FilesystemStorage(tmp_path)
    before = os.umask(0o022)
    try:
        blob = put(storage, b"data")
    finally:
        os.umask(before)
    assert (tmp_path / layer_key(blob.digest)).stat().st_mode & 0o777 == 0o644


class Calls:
    """Records the system calls that make a blob durable, in their order, and makes them."""

    def __init__(self, monkeypatch):
        self.made = []
        fsync, rename = os.fsync, Path.rename

        def recorded_fsync(descriptor):
            self.made.append(("fsync", Path(f"/proc/self/fd/{descriptor}").resolve().name))
            fsync(descriptor)

        def recorded_rename(source, target):
            self.made.append(("rename", target.name))
            return rename(source, target)

        monkeypatch.setattr(os, "fsync", recorded_fsync)
        monkeypatch.setattr(Path, "rename", recorded_rename)


def test_content_is_durable_before_its_name_and_the_name_before_the_answer(tmp_path, monkeypatch):
    storage = FilesystemStorage(tmp_path)
    storage.check()
    with storage.stage() as staging:
        staging.write(b"data")
        calls = Calls(monkeypatch)
        blob = staging.publish()
    (first, staged), *rest = calls.made
    assert first == "fsync"
    assert len(staged) == 32  # the staged file, by its uuid
    assert rest == [("rename", blob.digest.removeprefix("sha256:")), ("fsync", "layers")]


def test_new_directories_are_durable_as_well(tmp_path, monkeypatch):
    storage = FilesystemStorage(tmp_path / "new" / "storage")
    calls = Calls(monkeypatch)
    put(storage, b"data")
    synced = [name for call, name in calls.made if call == "fsync"]
    assert {tmp_path.name, "new", "storage"} <= set(synced)


def test_a_removed_directory_comes_back(tmp_path):
    storage = FilesystemStorage(tmp_path)
    put(storage, b"one")
    subprocess.run(["rm", "-r", tmp_path / "layers", tmp_path / "staging"], check=True)
    put(storage, b"two")


@pytest.mark.parametrize(
    ("code", "told", "said"),
    [
        (errno.ENOSPC, StorageFull, "disk is full"),
        (errno.EDQUOT, StorageFull, "disk is full"),
        (errno.EROFS, StorageUnavailable, "cannot be used: the reason"),
        (errno.EIO, StorageUnavailable, "cannot be used: the reason"),
    ],
)
def test_a_full_disk_is_reported(tmp_path, monkeypatch, code, told, said):
    """Full, or broken: stored content can still be read."""
    storage = FilesystemStorage(tmp_path)

    def fails(*_):
        raise OSError(code, "the reason")

    with storage.stage() as staging:
        monkeypatch.setattr(os, "write", fails)
        with pytest.raises(told, match=said):
            staging.write(b"data")


@pytest.mark.parametrize(
    ("call", "fails"),
    [
        (lambda storage, stat: storage.stat(stat.key), "os.lstat"),
        (lambda storage, stat: storage.read(stat.key), "os.open"),
        (lambda storage, stat: storage.touch(stat), "os.utime"),
        (lambda storage, stat: storage.delete(stat), "os.unlink"),
    ],
    ids=["stat", "read", "touch", "delete"],
)
def test_whatever_it_fails_at(tmp_path, monkeypatch, call, fails):
    storage = FilesystemStorage(tmp_path)
    stat = storage.write("manifests/x", b"data")

    def broken(*_, **__):
        raise OSError(errno.EIO, "the reason")

    monkeypatch.setattr(fails, broken)
    with pytest.raises(StorageUnavailable):
        call(storage, stat)


def test_probes_bring_back_a_directory_that_vanished(tmp_path):
    """A server that is not ready gets no requests that would."""
    storage = FilesystemStorage(tmp_path / "storage")
    storage.check()
    shutil.rmtree(tmp_path / "storage")
    storage.ping()
    assert (tmp_path / "storage").is_dir()


def test_a_directory_that_cannot_be_created_again_is_reported(tmp_path):
    storage = FilesystemStorage(tmp_path / "storage")
    storage.check()
    shutil.rmtree(tmp_path / "storage")
    (tmp_path / "storage").write_text("in the way")
    with pytest.raises(StorageUnavailable):
        storage.ping()


def test_a_directory_that_does_not_fit_means_a_full_disk(tmp_path, monkeypatch):
    storage = FilesystemStorage(tmp_path)
    storage.check()

    def full(*_):
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "mkdir", full)
    with pytest.raises(StorageFull):
        storage.write("plans/key", b"{}")


def test_what_the_disk_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr("nixery.storage.filesystem.room_at", lambda _: Room(5, 1000))
    assert FilesystemStorage(tmp_path).bytes_to_free() == 95


def test_a_short_write_is_continued(tmp_path, monkeypatch):
    storage = FilesystemStorage(tmp_path)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    blob = put(storage, b"0123456789")
    assert (tmp_path / layer_key(blob.digest)).read_bytes() == b"0123456789"


def test_a_failed_sync_publishes_nothing(tmp_path, monkeypatch):
    storage = FilesystemStorage(tmp_path)
    storage.check()

    def broken(_):
        raise OSError(errno.EIO, "broken disk")

    with storage.stage() as staging:
        staging.write(b"data")
        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(StorageUnavailable, match="broken disk"):
            staging.publish()
    assert list((tmp_path / "layers").iterdir()) == []


def test_a_path_that_cannot_be_written_stops_the_start(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="STORAGE_PATH="):
        FilesystemStorage(tmp_path / "file").check()


def test_a_really_full_file_system(tmp_path):
    """A separate tmpfs, filled up, then given room again."""
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", mount], check=True)
    try:
        storage = FilesystemStorage(mount)
        storage.check()
        filler = mount / "filler"
        filler.write_bytes(bytes(1 << 19))
        with pytest.raises(StorageFull):
            put(storage, bytes(1 << 20))
        assert list((mount / "staging").iterdir()) == []
        filler.unlink()
        put(storage, bytes(1 << 19))
    finally:
        subprocess.run(["umount", mount], check=True)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-1], id="truncated"),
        pytest.param(lambda data: bytes(len(data)), id="zeroed"),
        pytest.param(lambda data: data[:-1] + b"!", id="flipped"),
        pytest.param(lambda data: data + b"!", id="longer"),
    ],
)
def test_a_damaged_blob_is_not_served(tmp_path, damage):
    """By a process that sees it for the first time; it is moved to quarantine then."""
    blob = put(FilesystemStorage(tmp_path), b"what was written")
    path = tmp_path / layer_key(blob.digest)
    path.write_bytes(damage(b"what was written"))
    again = FilesystemStorage(tmp_path)
    assert again.locate(blob.digest) == Unverified(path.stat().st_size)
    assert again.verify(blob.digest) is None
    assert again.locate(blob.digest) is None
    assert not path.exists()
    assert (tmp_path / "quarantine" / path.name).read_bytes() == damage(b"what was written")


def test_a_blob_that_changes_after_it_was_served_is_seen(tmp_path):
    storage = FilesystemStorage(tmp_path)
    blob = put(storage, b"what was written")
    path = tmp_path / layer_key(blob.digest)
    assert storage.locate(blob.digest) == LocalFile(path, blob.size)
    path.write_bytes(b"what was WRITTEN")
    assert storage.locate(blob.digest) == Unverified(blob.size)
    assert storage.verify(blob.digest) is None


def test_a_verified_blob_is_not_read_again(tmp_path, monkeypatch):
    """Hashing at every pull would cost more than sending; touching must not start it either."""
    storage = FilesystemStorage(tmp_path)
    blob = put(storage, b"data")
    storage.touch(storage.stat(layer_key(blob.digest)))
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    there = LocalFile(tmp_path / layer_key(blob.digest), blob.size)
    assert storage.locate(blob.digest) == storage.verify(blob.digest) == there


def test_two_processes_agree_on_conditions(tmp_path):
    """Eight of them try to take one lease at once; one gets it."""
    script = (
        "import sys, pathlib\n"
        "from nixery.storage import Condition\n"
        "from nixery.storage.filesystem import FilesystemStorage\n"
        "storage = FilesystemStorage(pathlib.Path(sys.argv[1]))\n"
        "sys.stdin.read()\n"
        "print(bool(storage.write('leases/key', b'x', Condition.ABSENT)))\n"
    )
    FilesystemStorage(tmp_path).check()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        process.stdin.close()
    answers = [process.stdout.read().strip() for process in processes]
    assert [process.wait() for process in processes] == [0] * 8
    assert sorted(answers) == ["False"] * 7 + ["True"]
    for process in processes:
        process.stdout.close()


def test_a_blob_is_kept_in_quarantine_from_the_day_it_was_put_there(tmp_path):
    """However old it was: gc measures from then."""
    storage = FilesystemStorage(tmp_path)
    blob = put(storage, b"data")
    os.utime(tmp_path / layer_key(blob.digest), (1, 1))
    before = storage.now()
    storage.quarantine(blob.digest)
    (found,) = storage.list("quarantine/")
    assert found.modified >= before - 1

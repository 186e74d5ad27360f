"""A power cut loses nothing that was acknowledged: blobs and entries, on ext4 and XFS."""

import subprocess
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
from support.proofs.broken import NoDirectorySync, PlainWrite
from support.proofs.honesty import visible_lies
from support.proofs.loop import LoopDisk, own_mounts, skip_without

from nixery.storage import layer_key, put
from nixery.storage.filesystem import FilesystemStorage

CUTS = {False: 3, True: 50}


@pytest.fixture
def apart():
    with own_mounts() as apart:
        yield apart


@pytest.fixture(params=["ext4", "xfs"])
def kind(request, tmp_path, apart):
    apart(skip_without, tmp_path, request.param)
    return request.param


@pytest.fixture
def on_disk(apart, tmp_path, kind):
    """Calls a function with what LoopDisk takes, and more."""
    return partial(_called, apart, tmp_path, kind)


def _called(apart, directory, kind, function, *more):
    return apart(function, directory, kind, *more)


def lost_in_a_cut(storage_class, disk, draw):
    """The number of acknowledged objects, and those lost or corrupt after the cut.

    The cut comes directly after an answer, while something else is half written.
    """
    storage = storage_class(disk.root / "storage")
    kept = {}
    for number in range(draw.randint(1, 6)):
        data = draw.randbytes(draw.choice([1, 4096, 300_000]))
        # No later sync of another file makes the last one durable.
        if draw.random() < 0.7:
            kept[layer_key(put(storage, data).digest)] = data
        else:
            key = f"manifests/{number}"
            data = f'"{data.hex()}"'.encode()
            storage.write(key, data)
            kept[key] = data
    (disk.root / "storage/staging/half-written").write_bytes(draw.randbytes(100_000))
    disk.cut_power()
    return len(kept), [
        key
        for key, data in kept.items()
        if not (disk.root / "storage" / key).exists()
        or (disk.root / "storage" / key).read_bytes() != data
    ]


def cut_often(directory, kind, cuts, draw):
    """The number of acknowledged objects, and those lost or corrupt after all cuts."""
    acknowledged, lost = 0, []
    for _ in range(cuts):
        with LoopDisk(directory, kind) as disk:
            count, gone = lost_in_a_cut(FilesystemStorage, disk, draw)
            acknowledged += count
            lost += gone + visible_lies(disk.root / "storage")
            put(FilesystemStorage(disk.root / "storage"), b"it goes on")
    return acknowledged, lost


def test_nothing_acknowledged_is_lost(on_disk, draw, full, record_property):
    acknowledged, lost = on_disk(cut_often, CUTS[full], draw)
    record_property("cuts", CUTS[full])
    record_property("acknowledged", acknowledged)
    record_property("lost", len(lost))
    assert lost == []


def lost_with(directory, kind, storage_class, draw):
    with LoopDisk(directory, kind) as disk:
        return lost_in_a_cut(storage_class, disk, draw)[1]


@pytest.mark.parametrize("broken", [PlainWrite, NoDirectorySync])
def test_it_notices(on_disk, draw, broken):
    assert on_disk(lost_with, broken, draw)


@contextmanager
def copy_of_all_mounts():
    """In another process, as sandboxes and containers make it when they start."""
    command = ["unshare", "--mount", "--propagation=private", "sh", "-c", "echo made; exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"made\n"
        yield
        process.stdin.close()


@pytest.mark.parametrize("shared", [False, True])
def test_a_sandbox_beside_keeps_nothing(kind, apart, tmp_path, draw, shared):
    """It would keep the mounts of its start; reading them after a cut must fail."""
    call = (lambda function, *arguments: function(*arguments)) if shared else apart
    disk = LoopDisk(tmp_path, kind)
    with ExitStack() as stack:
        call(disk.__enter__)
        stack.callback(call, disk.__exit__)
        stack.enter_context(copy_of_all_mounts())
        if shared:
            stack.enter_context(pytest.raises(OSError, match="Input/output error"))
        assert not call(lost_in_a_cut, FilesystemStorage, disk, draw)[1]

"""Locks that others see, and that end with their process."""

import subprocess
import sys

import pytest

from nixery.host.file_locks import Lock, lockable, locked, try_lock


def is_free(path):
    with lockable(path) as descriptor:
        return try_lock(descriptor)


def test_a_directory_is_locked_and_free_again(tmp_path):
    with locked(tmp_path):
        assert not is_free(tmp_path)
    assert is_free(tmp_path)


def test_shared_locks_exclude_only_exclusive_ones(tmp_path):
    with locked(tmp_path, Lock.SHARED), locked(tmp_path, Lock.SHARED):
        assert not is_free(tmp_path)


def test_a_file_is_made_only_on_demand(tmp_path):
    file = tmp_path / "lock"
    with pytest.raises(FileNotFoundError), locked(file):
        pass
    with locked(file, create=True):
        assert not is_free(file)


def test_a_killed_process_holds_nothing(tmp_path):
    script = (
        "import os, pathlib, sys\n"
        "from nixery.host.file_locks import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert not is_free(tmp_path)
        holder.kill()
        holder.wait()
        assert is_free(tmp_path)

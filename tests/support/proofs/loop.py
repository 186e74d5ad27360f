"""A file system in a file, with power cuts.

Every process that makes a mount namespace (a sandbox of Nix, a container) copies the mounts that it
finds, and keeps the copies until it ends. A file system that is unmounted here is still mounted
there, and mounting its image again gives the same one, which the cut has shut down: reading it is
an I/O error. So all of this happens in a thread with private mounts, which are not copied.
"""

import ctypes
import fcntl
import os
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN, which is XFS_IOC_GOINGDOWN: _IOR('X', 125, __u32)."""
NO_LOG_FLUSH = 2
"""From now on nothing reaches the disk, not even the journal."""
CLONE_NEWNS = 0x00020000
# XFS needs at least 300 MB; both are sparse.
SIZES = {"ext4": 64 << 20, "xfs": 320 << 20}


class LoopDisk:
    """``with LoopDisk(directory, "ext4") as disk`` makes it; its files are under ``disk.root``."""

    def __init__(self, directory, kind):
        self._image = directory / f"{kind}.img"
        self._kind = kind
        self.root = directory / f"{kind}-mounted"
        self.root.mkdir(exist_ok=True)

    def __enter__(self):
        self._image.unlink(missing_ok=True)
        with self._image.open("wb") as file:
            file.truncate(SIZES[self._kind])
        run(f"mkfs.{self._kind}", "-q", self._image)
        self._mount()
        return self

    def __exit__(self, *_):
        with suppress(subprocess.CalledProcessError):  # also where mounting it again failed
            self._unmount()
        self._image.unlink()

    def cut_power(self):
        """And switches it on again."""
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)
        self._unmount()
        self._mount()

    def _mount(self):
        # The loop device belongs to the mount, and ends with it.
        run("mount", "-t", self._kind, "-o", "loop", self._image, self.root)

    def _unmount(self):
        run("umount", self.root)


@contextmanager
def own_mounts():
    """``apart(function, …)`` calls it in a thread with mounts that are private and not copied.

    They end with the thread, whatever is still mounted.
    """
    with ThreadPoolExecutor(1) as thread:

        def apart(function, *arguments):
            return thread.submit(function, *arguments).result()

        apart(_leave_shared_mounts)
        yield apart


def _leave_shared_mounts():
    # Python has os.unshare from 3.12 on.
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        pytest.skip(f"no mounts of one's own here: {os.strerror(ctypes.get_errno())}")
    run("mount", "--make-rprivate", "/")


def run(*command):
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def skip_without(directory, kind):
    """Skips where this machine does not allow it, with its error message."""
    try:
        with LoopDisk(directory, kind) as disk:
            disk.cut_power()
    except FileNotFoundError as error:
        pytest.skip(f"{error.filename} is not installed")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no {kind} loop image here: {error.stderr.decode().strip()}")
    except OSError as error:
        pytest.skip(f"the power of {kind} cannot be cut here: {error.strerror}")

"""A file system in a file, whose power can be cut."""

import fcntl
import os
import struct
import subprocess
from contextlib import suppress

import pytest

SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN, which is XFS_IOC_GOINGDOWN: _IOR('X', 125, __u32)."""
NO_LOG_FLUSH = 2
"""From now on nothing reaches the disk, not even the journal."""
# XFS takes nothing below 300 MB; both are sparse.
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
        # The loop device is the mount's, and goes with it.
        run("mount", "-t", self._kind, "-o", "loop", self._image, self.root)

    def _unmount(self):
        run("umount", self.root)


def run(*command):
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def skip_without(directory, kind):
    """Skips where this machine does not allow it, with what it said."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    try:
        with LoopDisk(directory, kind) as disk:
            disk.cut_power()
    except FileNotFoundError as error:
        pytest.skip(f"{error.filename} is not installed")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no {kind} loop image here: {error.stderr.decode().strip()}")
    except OSError as error:
        pytest.skip(f"the power of {kind} cannot be cut here: {error.strerror}")

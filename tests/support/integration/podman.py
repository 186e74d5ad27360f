"""Podman with its own storage."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from support.integration.unpacked import run


@contextmanager
def podman_with(driver: str) -> Iterator[tuple[str, ...]]:
    """The command. ``vfs`` copies layers, which works on any file system; ``overlay`` mounts them.

    The paths must be short, because sockets are in them.
    """
    home = Path(mkdtemp(prefix="podman-", dir="/tmp"))
    command = (
        *("podman", "--root", f"{home}/root", "--runroot", f"{home}/run"),
        *(f"--storage-driver={driver}", "--cgroup-manager=cgroupfs", "--events-backend=none"),
    )
    yield command
    run(*command, "rmi", "--all", "--force")
    shutil.rmtree(home)

"""containerd and docker, each a separate, empty daemon of the test, used with its client.

The files of each are in one directory; its name must be short, because sockets are in it.
"""

import json
import os
import re
import select
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from support.integration.unpacked import run

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
"""Debian has dockerd, and runc for both, where not everyone looks."""
RUN_AS = "test"
READY = "ready"
"""The socket in a daemon's directory where the test is its service manager."""
_ENTER = (
    *("unshare", "--mount", "--propagation=private", "sh", "-euc"),
    """
    root=$0 home=$1
    shift
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/run"
    mount --bind "$home" "$root/mnt"
    exec chroot "$root" "$@"
    """,
)
"""The prefix of a command with another root, followed by that and its own directory."""


class Containerd:
    NEEDS = ("containerd", "ctr", "runc")

    def __init__(self, home: Path) -> None:
        (home / "config").write_text(
            'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[plugins."io.containerd.internal.v1.opt"]\npath = "{home}/opt"\n'
        )
        self.command = (
            *("env", f"NOTIFY_SOCKET={home / READY}"),
            *("containerd", "--config", home / "config", "--address", home / "socket"),
            *("--root", home / "root", "--state", home / "state"),
        )
        self._ctr = ("ctr", "--address", home / "socket")

    def driver(self) -> str:
        """As docker chooses: overlayfs works on most file systems; the other copies every layer."""
        plugins = run(*self._ctr, "plugins", "ls")
        return "overlayfs" if re.search("overlayfs .* ok", plugins) else "native"

    def _snapshotter(self) -> str:
        return f"--snapshotter={self.driver()}"

    def pull(self, image: str) -> None:
        pull = (*self._ctr, "images", "pull", "--plain-http", self._snapshotter())
        run(*pull, f"{image}:latest")

    def run(self, image: str, *command: str) -> str:
        words = (*self._ctr, "run", "--rm", self._snapshotter(), f"{image}:latest", RUN_AS)
        return run(*words, *command, env=os.environ | {"PATH": PATH})

    @contextmanager
    def unpacked(self, image: str, directory: Path) -> Iterator[Path]:
        images = (*self._ctr, "images")
        run(*images, "mount", self._snapshotter(), f"{image}:latest", directory)
        try:
            yield directory
        finally:
            run(*images, "unmount", "--rm", self._snapshotter(), directory)


class Docker:
    NEEDS = ("dockerd", "docker", "containerd", "runc")

    def __init__(self, home: Path, root: Path | None = None) -> None:
        """``root``: another system, whose daemon it is; it sees ``home`` at /mnt."""
        place = home if root is None else Path("/mnt")
        daemon = (
            *("env", f"NOTIFY_SOCKET={place / READY}", "dockerd"),
            *("--host", f"unix://{place}/socket", "--pidfile", place / "pid"),
            *("--data-root", place / "root", "--exec-root", place / "state"),
            # The machine's network stays as it is.
            *("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
        )
        self.command = daemon if root is None else (*_ENTER, root, home, *daemon)
        self._docker = ("docker", "--config", home / "client", "--host", f"unix://{home}/socket")

    def version(self) -> int:
        """The daemon's first number."""
        text = run(*self._docker, "version", "--format", "{{json .Server.Version}}")
        return int(json.loads(text).split(".")[0])

    def driver(self) -> str:
        """What puts layers together: overlay2 mounts them, vfs copies every layer."""
        return run(*self._docker, "info", "--format", "{{.Driver}}").strip()

    def pull(self, image: str) -> None:
        run(*self._docker, "pull", "--quiet", image)

    def load(self, archive: Path) -> str:
        return run(*self._docker, "load", "--input", archive)

    def run(self, image: str, *command: str) -> str:
        return run(*self._docker, "run", "--rm", "--network=none", image, *command)

    @contextmanager
    def unpacked(self, image: str, directory: Path) -> Iterator[Path]:
        run(*self._docker, "create", "--name", RUN_AS, image, "none")
        run(*self._docker, "export", "--output", directory / "tar", RUN_AS)
        tree = directory / "tree"
        tree.mkdir()
        unpacking = ("tar", "--extract", "--preserve-permissions", "--numeric-owner")
        run(*unpacking, f"--file={directory / 'tar'}", f"--directory={tree}")
        yield tree


@contextmanager
def running(
    kind: Callable[..., Containerd | Docker], *arguments: Path
) -> Iterator[Containerd | Docker]:
    """Ends it with SIGTERM, which must be a clean end."""
    with TemporaryDirectory(prefix="daemon-", dir="/tmp") as place:
        home = Path(place)
        client = kind(home, *arguments)
        with (
            (home / "log").open("wb") as log,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said,
        ):
            said.bind(str(home / READY))
            daemon = subprocess.Popen(
                client.command,
                env=os.environ | {"PATH": PATH},
                stdout=log,
                stderr=log,
            )
            try:
                _wait_for(b"READY=1", said, daemon)
                yield client
            finally:
                daemon.terminate()
                assert daemon.wait(60) == 0, (home / "log").read_text()[-2000:]


def _wait_for(word: bytes, said: socket.socket, daemon: subprocess.Popen[bytes]) -> None:
    """Its messages to a service manager, which is the test."""
    ended = os.pidfd_open(daemon.pid)
    try:
        while said in select.select([said, ended], [], [], 60)[0]:
            if word in said.recv(1000):
                return
    finally:
        os.close(ended)
    raise AssertionError("the daemon does not start, see below")

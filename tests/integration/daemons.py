"""containerd and docker, each a daemon of the test's own with nothing in it, asked by its client.

What either keeps lies in one directory; its name must be short, it names sockets.
"""

import json
import os
import select
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from unpacked import run

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
"""Debian has dockerd, and runc for both, where not everyone looks."""
RUN_AS = "test"


class Containerd:
    NEEDS = ("containerd", "ctr", "runc")
    # Works on every file system; overlayfs does not on one of its own kind.
    _SNAPSHOTTER = "--snapshotter=native"

    def __init__(self, home: Path) -> None:
        (home / "config").write_text(
            'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[plugins."io.containerd.internal.v1.opt"]\npath = "{home}/opt"\n'
        )
        self.command = (
            *("containerd", "--config", home / "config", "--address", home / "socket"),
            *("--root", home / "root", "--state", home / "state"),
        )
        self._ctr = ("ctr", "--address", home / "socket")

    def pull(self, image: str) -> None:
        pull = (*self._ctr, "images", "pull", "--plain-http", self._SNAPSHOTTER)
        run(*pull, f"{image}:latest")

    def run(self, image: str, *command: str) -> str:
        words = (*self._ctr, "run", "--rm", self._SNAPSHOTTER, f"{image}:latest", RUN_AS)
        return run(*words, *command, env=os.environ | {"PATH": PATH})

    @contextmanager
    def unpacked(self, image: str, directory: Path) -> Iterator[Path]:
        images = (*self._ctr, "images")
        run(*images, "mount", self._SNAPSHOTTER, f"{image}:latest", directory)
        try:
            yield directory
        finally:
            run(*images, "unmount", "--rm", self._SNAPSHOTTER, directory)


class Docker:
    NEEDS = ("dockerd", "docker", "containerd", "runc")

    def __init__(self, home: Path) -> None:
        socket_ = f"unix://{home}/socket"
        self.command = (
            *("dockerd", "--host", socket_, "--pidfile", home / "pid"),
            *("--data-root", home / "root", "--exec-root", home / "state"),
            # The machine's network stays as it is.
            *("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
        )
        self._docker = ("docker", "--config", home / "client", "--host", socket_)

    def version(self) -> int:
        """The daemon's first number."""
        text = run(*self._docker, "version", "--format", "{{json .Server.Version}}")
        return int(json.loads(text).split(".")[0])

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
        with tarfile.open(directory / "tar") as archive:
            archive.extractall(directory / "tree", filter="fully_trusted")
        yield directory / "tree"


@contextmanager
def running(kind: type[Containerd] | type[Docker]) -> Iterator[Containerd | Docker]:
    """Ends it with SIGTERM, which must be a clean end."""
    with TemporaryDirectory(prefix="daemon-", dir="/tmp") as place:
        home = Path(place)
        client = kind(home)
        with (
            (home / "log").open("wb") as log,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said,
        ):
            said.bind(str(home / "ready"))
            daemon = subprocess.Popen(
                client.command,
                env=os.environ | {"PATH": PATH, "NOTIFY_SOCKET": said.getsockname()},
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
    """What it tells a service manager, who is the test."""
    ended = os.pidfd_open(daemon.pid)
    try:
        while said in select.select([said, ended], [], [], 60)[0]:
            if word in said.recv(1000):
                return
    finally:
        os.close(ended)
    raise AssertionError("the daemon does not start, see below")

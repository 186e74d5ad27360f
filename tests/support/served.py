"""``nixery serve`` in a process, on a free port."""

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass
class Served:
    url: str
    process: subprocess.Popen[bytes]
    log: Path
    storage: Path
    killed: bool = False

    def kill(self):
        """Kills the process."""
        self.killed = True
        self.process.kill()
        self.process.wait(60)

    def get(self, path, **headers):
        """Waits as long as clients do."""
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=300)

    def manifest(self, name, tag="latest", accept=OCI):
        answer = self.get(f"/v2/{name}/manifests/{tag}", Accept=accept)
        answer.raise_for_status()
        return answer

    def digest(self, name, accept=OCI):
        return self.manifest(name, accept=accept).headers["Docker-Content-Digest"]

    def image(self, name):
        """The image name as clients write it."""
        return f"{self.url.removeprefix('http://')}/{name}"

    def peak_mb(self):
        """Peak memory of the server itself, without Nix."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        line = next(line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024

    def events(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_for(self, **fields):
        """The first log line with these fields, once it is written."""
        with self.log.open() as lines:
            for event in _followed(lines, self.process):
                if all(event.get(key) == value for key, value in fields.items()):
                    return event
        raise AssertionError(f"the server ended without a line {fields}")


@contextmanager
def serve(
    environment: Mapping[str, str],
    directory: Path,
    command: Sequence[str | Path] = ("nixery", "serve"),
    **settings: str,
) -> Iterator[Served]:
    """Ends it with SIGTERM, and checks that it ends cleanly, unless a test has killed it."""
    directory.mkdir(exist_ok=True)
    storage = directory / "storage"
    log = directory / "log"
    values = {
        **environment,
        "NIXERY_STORAGE_BACKEND": "filesystem",
        "STORAGE_PATH": str(storage),
        "NIXERY_STATE_DIR": str(directory / "state"),
        "NIXERY_LISTEN": "127.0.0.1",
        "PORT": "0",
        **settings,
    }
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=values, stderr=stream, cwd="/")
    served = Served("", process, log, storage)
    try:
        served.url = served.wait_for(event="listening")["url"]
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
        assert status == (-signal.SIGKILL if served.killed else 0), log.read_text()[-2000:]


def _followed(lines, process):
    """Log events as they are written, until the process has ended."""
    pidfd = os.pidfd_open(process.pid)
    begun = ""
    try:
        while True:
            # Checked before reading, so that nothing is missed.
            ended = bool(select.select([pidfd], [], [], 0)[0])
            while piece := lines.readline():
                begun += piece
                if begun.endswith("\n"):
                    yield json.loads(begun)
                    begun = ""
            if ended:
                return
            select.select([pidfd], [], [], 0.02)  # a file cannot signal that it has grown
    finally:
        os.close(pidfd)

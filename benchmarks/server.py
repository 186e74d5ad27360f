"""The real server as a measured process: started, sent requests over HTTP, measured, stopped."""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from queue import Queue
from time import perf_counter, sleep
from typing import IO, Any
from urllib.parse import urlsplit

TICK = os.sysconf("SC_CLK_TCK")
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# A benchmark may have to build its packages first, which must not time out.
PATIENCE = {"NIX_TIMEOUT": "3600", "NIXERY_REQUEST_TIMEOUT": "3600"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The request, and its cost: wall-clock seconds, and CPU seconds of all processes."""

    body: bytes
    wall: float
    cpu: float


class Requests:
    """The server's access log, without its probes."""

    def __init__(self) -> None:
        self._lines: Queue[dict[str, Any]] = Queue()

    def add(self, event: dict[str, Any]) -> None:
        if event.get("event") == "request" and event.get("path") != "/readyz":
            self._lines.put(event)

    def next(self) -> dict[str, Any]:
        """The next line that was not returned yet; waits for it."""
        return self._lines.get(timeout=60)


class Server:
    """A running `nixery serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str, requests: Requests) -> None:
        self.process = process
        self.requests = requests
        self.address = urlsplit(url).netloc

    def get(self, path: str, accept: str = "*/*") -> Answer:
        """Raises RuntimeError with the server's message if it does not answer 200."""
        cpu = self._cpu()
        start = perf_counter()
        connection = HTTPConnection(self.address, timeout=3600)
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        body = response.read()
        wall = perf_counter() - start
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status} {body.decode(errors='replace')}")
        return Answer(body, wall, self._cpu() - cpu)

    def manifest(self, image: str) -> Answer:
        return self.get(f"/v2/{image}/manifests/latest", OCI_MANIFEST)

    def wait_until_ready(self) -> None:
        """As a load balancer does before it sends requests."""
        while True:
            connection = HTTPConnection(self.address, timeout=60)
            connection.request("GET", "/readyz")
            status = connection.getresponse().status
            connection.close()
            if status == 200:
                return
            sleep(0.05)

    def peak_rss(self) -> float:
        """The server's own peak in MiB, without its children."""
        return peak_rss_of(self.process.pid)

    def _cpu(self) -> float:
        return cpu_of(self.process.pid)


@contextmanager
def running(storage: Path, state: Path, **settings: str) -> Iterator[Server]:
    """A server on a free port. Raises RuntimeError if it does not start."""
    environment = (
        PATIENCE
        | os.environ
        | {
            "PORT": "0",
            "NIXERY_LISTEN": "127.0.0.1",
            "NIXERY_STORAGE_BACKEND": "filesystem",
            "STORAGE_PATH": str(storage),
            "NIXERY_STATE_DIR": str(state),
        }
        | settings
    )
    process = subprocess.Popen(
        ["nixery", "serve"], env=environment, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    assert process.stderr is not None
    last_words: deque[str] = deque(maxlen=20)
    requests = Requests()
    reading = threading.Thread(
        target=_read_on, args=[process.stderr, last_words, requests], daemon=True
    )
    try:
        url = _address(process.stderr, last_words)
        reading.start()
        yield Server(process, url, requests)
    except Exception:
        sys.stderr.writelines([*last_words])
        print(f"the server's status: {process.poll()}", file=sys.stderr)
        raise
    finally:
        process.terminate()
        process.wait()
        if reading.ident is not None:
            reading.join()
        process.stderr.close()


def _address(log: IO[str], last_words: deque[str]) -> str:
    """Reads the log until the server reports its address."""
    for line in log:
        last_words.append(line)
        event = _parsed(line)
        if event.get("event") == "listening":
            return str(event["url"])
    raise RuntimeError("the server did not start")


def _read_on(log: IO[str], last_words: deque[str], requests: Requests) -> None:
    for line in log:
        last_words.append(line)
        requests.add(_parsed(line))


def _parsed(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def peak_rss_of(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of the children that it has waited for."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    # After the name, which may contain blanks: fields 14 to 17 of proc(5).
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / TICK

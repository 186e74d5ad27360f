"""The cost of serving a blob of 1 GiB from the page cache, against nginx serving the same file.

Three ways, alternately: this server, nginx alone, and nginx redirected to the file by this server
(X-Accel-Redirect). Each delivers the blob to 1 client, four times, and to 16 clients at once. nginx
has one worker, with sendfile on. The client lets its kernel discard the bytes unread (MSG_TRUNC),
so that only the servers are measured.

    mbps_ratio        MB/s of this server / of nginx; the worse of 1 and 16 connections
    cpu_ratio         CPU seconds per GB of this server / of nginx; the worse
    accel_cpu_ratio   CPU seconds per GB of this server and nginx together / of nginx alone
    peak_rss_mb       this server's own peak memory, MiB
    yardstick_spread  (fastest - slowest) / median of nginx's MB/s, the worse; above 0.1 the
                      machine was too busy for mbps_ratio, and cpu_ratio decides
"""

import argparse
import hashlib
import json
import os
import selectors
import socket
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from support.nginx_server import running_nginx

from benchmarks.server import cpu_of, running

GIB = 1 << 30
PROJECT = Path(__file__).resolve().parent.parent
PREFIX = "/internal/"
NGINX = """
    sendfile on;
    tcp_nopush on;
    server {{
        listen LISTEN;
        location /plain/ {{ alias {storage}/layers/; }}
        location /v2/ {{
            proxy_pass {backend};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
        location {prefix} {{ internal; alias {storage}/; }}
    }}
"""


@dataclass(frozen=True, slots=True)
class Way:
    """An address to request, and the processes whose CPU time is measured."""

    name: str
    url: str
    pids: tuple[int, ...]

    def cpu(self) -> float:
        """CPU seconds so far, including those of nginx's worker."""
        workers = (Path(f"/proc/{pid}/task/{pid}/children").read_text() for pid in self.pids)
        return sum(map(cpu_of, [*self.pids, *map(int, " ".join(workers).split())]))


@dataclass(frozen=True, slots=True)
class Run:
    mbps: float
    cpu_per_gb: float


Runs = dict[tuple[str, int], list[Run]]


def main() -> None:
    options = _parser().parse_args()
    # In the project's directory and not in /tmp, which may be a tmpfs.
    (PROJECT / ".nixery").mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=PROJECT / ".nixery") as scratch:
        print(json.dumps(measure(options.runs, Path(scratch))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench blob",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each way (5)")
    return parser


def measure(runs: int, scratch: Path) -> dict[str, Any]:
    """Prints a row per run; returns the figures."""
    storage = scratch / "storage"
    for directory in (storage / "layers", scratch / "nginx"):
        directory.mkdir(parents=True)
    blob = _write_blob(storage / "layers")
    path = f"/v2/hello/blobs/sha256:{blob}"
    source = {"NIXERY_PKGS_PATH": str(PROJECT / "tests/tiny")}  # unused, but required
    with (
        running(storage, scratch / "state", **source) as server,
        running(storage, scratch / "other", NIXERY_ACCEL_PREFIX=PREFIX, **source) as behind,
        running_nginx(
            NGINX.format(storage=storage, backend=f"http://{behind.address}", prefix=PREFIX),
            scratch / "nginx",
        ) as nginx,
    ):
        ways = (
            Way("nixery", f"http://{server.address}{path}", (server.process.pid,)),
            Way("nginx", f"{nginx.url}/plain/{blob}", (nginx.pid,)),
            Way("accel", nginx.url + path, (nginx.pid, behind.process.pid)),
        )
        for way in ways:
            _load(way, 1)  # the server verifies that the blob matches its name
        found = _measure(ways, runs)
        return _figures(found) | {"peak_rss_mb": round(server.peak_rss(), 1)}


def _write_blob(directory: Path) -> str:
    """Writes bytes that do not repeat, as in compressed layers; returns the digest."""
    digest = hashlib.sha256()
    with (directory / "new").open("wb") as file:
        for _ in range(64):
            piece = os.urandom(GIB // 64)
            digest.update(piece)
            file.write(piece)
    (directory / "new").rename(directory / digest.hexdigest())
    return digest.hexdigest()


def _measure(ways: tuple[Way, ...], runs: int) -> Runs:
    found: Runs = {(way.name, number): [] for way in ways for number in (1, 16)}
    columns = (f"{way.name + ' MB/s':>14}{'CPU s/GB':>10}" for way in ways)
    print(f"{'run':>3}{'connections':>13}" + "".join(columns))
    for run in range(runs):
        for connections in (1, 16):
            # A different one is first in each run, so that other load on the machine affects all of
            # them.
            for way in ways[run % len(ways) :] + ways[: run % len(ways)]:
                found[way.name, connections].append(_load(way, connections))
            results = (found[way.name, connections][-1] for way in ways)
            columns = (f"{result.mbps:>14.0f}{result.cpu_per_gb:>10.3f}" for result in results)
            print(f"{run + 1:>3}{connections:>13}" + "".join(columns), flush=True)
    return found


def _figures(found: Runs) -> dict[str, float]:
    def ratio(way: str, connections: int, figure: str) -> float:
        ours, theirs = (
            median(getattr(run, figure) for run in found[name, connections])
            for name in (way, "nginx")
        )
        return float(ours / theirs)

    def spread(connections: int) -> float:
        rates = [run.mbps for run in found["nginx", connections]]
        return (max(rates) - min(rates)) / median(rates)

    return {
        "mbps_ratio": round(min(ratio("nixery", n, "mbps") for n in (1, 16)), 3),
        "cpu_ratio": round(max(ratio("nixery", n, "cpu_per_gb") for n in (1, 16)), 3),
        "accel_cpu_ratio": round(max(ratio("accel", n, "cpu_per_gb") for n in (1, 16)), 3),
        "yardstick_spread": round(max(spread(n) for n in (1, 16)), 3),
    }


def _load(way: Way, connections: int) -> Run:
    repeats = 4 if connections == 1 else 1
    cpu, start = way.cpu(), perf_counter()
    received = sum(_drain(way.url, connections) for _ in range(repeats))
    wall = perf_counter() - start
    assert received >= repeats * connections * GIB, f"{way.url}: only {received} bytes"
    return Run(received / wall / 1e6, (way.cpu() - cpu) / (received / 1e9))


def _drain(url: str, connections: int) -> int:
    """Requests the whole blob on this many connections at once.

    Returns the number of received bytes.
    """
    address = urlsplit(url)
    request = f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
    buffer, received = bytearray(4 << 20), 0
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = socket.create_connection((address.hostname, address.port))
            connection.sendall(request.encode())
            selector.register(connection, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                client = key.fileobj
                assert isinstance(client, socket.socket)
                count = client.recv_into(buffer, len(buffer), socket.MSG_TRUNC)
                received += count
                if not count:
                    selector.unregister(client)
                    client.close()
    return received


if __name__ == "__main__":
    main()

"""The duration of a cached pull while strangers attack the registry.

A pull is a manifest by tag and one of its blobs, on a new connection. It is timed alone (the
baseline, before and after the attacks), and during each of these attacks in turn:

    slow      1,000 connections that never finish a request
    names     9,000 requests at once for new images
    bomb      one evaluation that takes all memory and time it may use
    log       one build that prints 1 GB

The package set is the tests' tiny one, in a separate store: everything is evaluated and built by
real Nix. NIXERY_EVALUATION_MEMORY and NIXERY_EVALUATION_TIMEOUT are those of the environment, or 1
GiB and 20 seconds; NIXERY_REQUEST_TIMEOUT, which ends a build, is 60 seconds by default.

    baseline_ms        median of the baseline
    ATTACK_p50_ratio   median of the pulls / of the baseline
    ATTACK_p99_ms      their 99th percentile; ATTACK_p99_ratio: relative to the baseline's
    lost               pulls that were refused or broken; should be 0
    log_mb             what the server wrote to its own log in total
    peak_rss_mb        the server's own peak memory, MiB
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

from support.tiny_set import make_tiny_set, nix_environment

from benchmarks.cold import PROJECT
from benchmarks.server import OCI_MANIFEST, peak_rss_of

IMAGE = "hello"
ATTACKS = {
    "slow": ("slow", "1000"),
    "names": ("names", "9000"),
    "bomb": ("image", "bomb"),
    "log": ("image", "chatty"),
}
PAUSE = 0.005
"""Seconds between two pulls: a real client works with what it pulled."""
LIMITS = {
    "NIXERY_EVALUATION_MEMORY": "1G",
    "NIXERY_EVALUATION_TIMEOUT": "20",
    "NIXERY_REQUEST_TIMEOUT": "60",
}
PATIENCE = 300
"""Seconds for one answer, and for an attack."""


@dataclass(frozen=True, slots=True)
class Pulls:
    times: tuple[float, ...]
    """Milliseconds."""
    lost: int

    @property
    def p50(self) -> float:
        return median(self.times)

    @property
    def p99(self) -> float:
        return quantiles(self.times, n=100)[98]


@dataclass(frozen=True, slots=True)
class Registry:
    address: str
    blob: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass
class Attack:
    process: subprocess.Popen[str]
    has_end: bool
    """Whether the attack ends by itself."""
    answers: str = ""
    """The statuses of its answers, as JSON; set when it has ended."""

    @property
    def lasts(self) -> bool:
        return self.has_end and self.process.poll() is None


def main() -> None:
    options = _parser().parse_args()
    with TemporaryDirectory(prefix="nixery-bench-") as scratch:
        chosen = {name: ATTACKS[name] for name in options.attacks or ATTACKS}
        print(json.dumps(measure(chosen, options.pulls, Path(scratch))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench crowd",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pulls", type=int, default=500, metavar="N", help="at least (500)")
    parser.add_argument("attacks", nargs="*", choices=[*ATTACKS, []], help="all, by default")
    return parser


def measure(attacks: Mapping[str, tuple[str, str]], pulls: int, scratch: Path) -> dict[str, Any]:
    """Prints a row per attack; returns the figures."""
    print(f"{'':9}{'pulls':>7}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'lost':>6}  answers")
    with serving(scratch) as registry:
        alone = _pull_for(registry, pulls)
        _row("alone", alone, "")
        during = {}
        for attack, what in attacks.items():
            with attacking(registry, *what) as going_on:
                during[attack] = _pull_for(registry, pulls, going_on)
            _row(attack, during[attack], going_on.answers)
        after = _pull_for(registry, pulls)
        _row("alone", after, "")
        baseline = Pulls(alone.times + after.times, alone.lost + after.lost)
        figures: dict[str, Any] = {"baseline_ms": round(baseline.p50, 2)}
        for attack, found in during.items():
            figures |= {
                f"{attack}_p50_ratio": round(found.p50 / baseline.p50, 2),
                f"{attack}_p99_ratio": round(found.p99 / baseline.p99, 2),
                f"{attack}_p99_ms": round(found.p99, 1),
            }
        return figures | {
            "lost": sum(found.lost for found in (baseline, *during.values())),
            "log_mb": round(registry.log.stat().st_size / 1e6, 1),
            "peak_rss_mb": round(peak_rss_of(registry.process.pid), 1),
        }


def _row(name: str, pulls: Pulls, answers: str) -> None:
    columns = f"{pulls.p50:>9.2f}{pulls.p99:>9.2f}{max(pulls.times):>9.2f}{pulls.lost:>6}"
    print(f"{name:9}{len(pulls.times):>7}{columns}  {answers}", flush=True)


def _pull_for(registry: Registry, count: int, attack: Attack | None = None) -> Pulls:
    """Makes this many pulls, and more while the attack lasts.

    An attack without an end is then stopped.
    """
    times: list[float] = []
    lost = 0
    end = perf_counter() + PATIENCE
    while len(times) < count or (attack and attack.lasts and perf_counter() < end):
        start = perf_counter()
        try:
            _pull(registry)
        except (OSError, HTTPException, RuntimeError) as error:
            print(f"lost: {error!r}", file=sys.stderr)
            lost += 1
        times.append((perf_counter() - start) * 1000)
        sleep(PAUSE)
    return Pulls(tuple(times), lost)


def _pull(registry: Registry) -> None:
    connection = HTTPConnection(registry.address, timeout=PATIENCE)
    try:
        for path in (f"/v2/{IMAGE}/manifests/latest", registry.blob):
            connection.request("GET", path, headers={"Accept": OCI_MANIFEST})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise RuntimeError(f"{path}: {response.status}")
    finally:
        connection.close()


@contextmanager
def attacking(registry: Registry, attack: str, argument: str) -> Iterator[Attack]:
    """Starts an attack, and ends it when the block is left."""
    command = [sys.executable, "-m", "benchmarks.attacks", attack, registry.address, argument]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            going_on = Attack(process, has_end=attack != "slow")
            yield going_on
            process.terminate()
            going_on.answers = process.stdout.read().strip()
        finally:
            process.terminate()


@contextmanager
def serving(scratch: Path) -> Iterator[Registry]:
    """A registry with one image.

    Its log goes to a file, because reading a pipe would cost time here.
    """
    packages = scratch / "packages"
    packages.mkdir()
    shutil.copytree(make_tiny_set(), packages / "tiny")
    shutil.copy(PROJECT / "benchmarks/hostile.nix", packages / "default.nix")
    (scratch / "store").mkdir()
    log = scratch / "log"
    environment = LIMITS | {
        **os.environ,
        **nix_environment(scratch / "store", scratch),
        "NIXERY_PKGS_PATH": str(packages),
        "NIXERY_STORAGE_BACKEND": "filesystem",
        "STORAGE_PATH": str(scratch / "storage"),
        "NIXERY_STATE_DIR": str(scratch / "state"),
        "NIXERY_LISTEN": "127.0.0.1",
        "PORT": "0",
    }
    with log.open("wb") as stream:
        process = subprocess.Popen(["nixery", "serve"], env=environment, stderr=stream)
    try:
        address = _address(log, process)
        connection = HTTPConnection(address, timeout=PATIENCE)
        connection.request("GET", f"/v2/{IMAGE}/manifests/latest", headers={"Accept": OCI_MANIFEST})
        manifest = json.loads(connection.getresponse().read())
        connection.close()
        blob = f"/v2/{IMAGE}/blobs/{manifest['layers'][0]['digest']}"
        yield Registry(address, blob, process, log)
    finally:
        process.terminate()
        process.wait()


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """The address, as soon as the server listens. Raises RuntimeError if it does not start."""
    while process.poll() is None:
        for line in log.read_text().splitlines():
            if '"event": "listening"' in line:
                return str(json.loads(line)["url"]).removeprefix("http://")
        sleep(0.05)
    raise RuntimeError(log.read_text())


if __name__ == "__main__":
    main()

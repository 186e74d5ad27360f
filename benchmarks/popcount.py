"""The cost of `nixery popcount channel` for 100,000 store paths, when all answers are known.

The graph is generated like a channel's: paths with many references get more. Its answers are in the
journal of an earlier run, so that the network is not measured. What remains is reading, counting,
and making units of packages: of 300 at random, and of only one.

    popcount_100k_s   CPU seconds of the command, which uses one core; the median of the runs
    count_100k_s      the same with a starting list of one package: everything except units
    count_100k_ratio  that, relative to the yardstick: a Python program that reads the same journal
                      with json.loads, counts the references to each path, and does nothing else
    peak_rss_mb       the command's peak memory, MiB, the maximum of all runs
    yardstick_mb      the yardstick's, which holds only the counts
    closure           names that come with one package: the median of the 300, and the maximum
    yardstick_spread  (most - least) / median of the yardstick's seconds: other load of the machine
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from support.popcount.cache_server import CacheServer

from nixery.closure import Closure, PathInfo
from nixery.layers.names import name
from nixery.learning.demand import demand
from nixery.popcount.count import starting_list
from nixery.popcount.journal import Journal

PATHS = 100_000
REFERENCES = 9
"""References of each path: fewer than this."""
KNOWN = 0.8
"""The share of references that are drawn from all earlier references; the others from all paths."""
YARDSTICK = """
import json, sys
from collections import Counter
with open(sys.argv[1]) as lines:
    print(len(Counter(to for line in lines for to in json.loads(line)[2])))
"""


@dataclass(frozen=True, slots=True)
class Run:
    cpu: float
    """Seconds."""
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench popcount",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="pairs of runs (5)")
    runs = parser.parse_args().runs
    with TemporaryDirectory(prefix="nixery-bench-") as scratch:
        print(json.dumps(measure(PATHS, runs, Path(scratch))))


def measure(paths: int, runs: int, scratch: Path) -> dict[str, Any]:
    """Prints a row for each of the ``runs``; returns the figures."""
    graph = make_channel(paths)
    journal = scratch / "out/narinfo.jsonl"
    with Journal(journal).opened() as kept:
        for info in graph.paths:
            kept.keep(info.path, info)
    channel = CacheServer({})
    channel.list([info.path for info in graph.paths])
    (scratch / "start").write_text(name(graph.paths[0].path))
    print(f"{'':>5}{'nixery s':>10}{'peak MiB':>10}{'one s':>8}{'yardstick s':>13}{'peak MiB':>10}")
    whole, counting, yardstick = [], [], []
    with channel.running():
        command = (
            "nixery",
            "popcount",
            "channel",
            f"{channel.url}/channel",
            "-o",
            str(journal.parent),
        )
        for number in range(runs):
            whole.append(_run(command))
            counting.append(_run((*command, "--start", str(scratch / "start"))))
            yardstick.append(_run((sys.executable, "-c", YARDSTICK, str(journal))))
            print(
                f"{number + 1:>5}{whole[-1].cpu:>10.2f}{whole[-1].peak_mb:>10.0f}"
                f"{counting[-1].cpu:>8.2f}"
                f"{yardstick[-1].cpu:>13.2f}{yardstick[-1].peak_mb:>10.0f}"
            )
    seconds = [run.cpu for run in yardstick]
    counted = median(run.cpu for run in counting)
    return {
        "popcount_100k_s": round(median(run.cpu for run in whole), 1),
        "count_100k_s": round(counted, 1),
        "count_100k_ratio": round(counted / median(seconds), 2),
        "peak_rss_mb": round(max(run.peak_mb for run in whole)),
        "yardstick_mb": round(max(run.peak_mb for run in yardstick)),
        "closure": _closures(graph),
        "yardstick_spread": round((max(seconds) - min(seconds)) / median(seconds), 3),
    }


def make_channel(count: int) -> Closure:
    random = Random(1)
    paths: list[str] = []
    referred_to: list[str] = []
    infos = []
    for number in range(count):
        path = f"/nix/store/{random.getrandbits(160):032x}-package{number}-1.{number % 50}"
        references = {
            random.choice(referred_to if referred_to and random.random() < KNOWN else paths)
            for _ in range(min(number, random.randrange(REFERENCES)))
        }
        size = int(random.lognormvariate(12, 2))
        infos.append(PathInfo(path, size, tuple(sorted(references))))
        paths.append(path)
        referred_to.extend(sorted(references))
    return Closure(tuple(sorted(infos, key=lambda info: info.path)))


def _closures(graph: Closure) -> Sequence[int]:
    packages = demand(graph, (), starting_list(graph))
    sizes = sorted(len(packages.brings(package)) for package in packages.start)
    return sizes[len(sizes) // 2], sizes[-1]


def _run(command: Sequence[str]) -> Run:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


if __name__ == "__main__":
    main()

"""The time from a tag to a readable tree, in a repository of 50,000 commits.

The server is warm: its mirror has the repository's commits and the tree was read before. Each tag
is requested from a new process (``first``), which has only the state directory, and again from the
same process (``again``), with a time to live of zero, so nothing is cached. ``git ls-remote`` is
part of every figure.

    branch_ms, latest_ms    a branch; HEAD
    commit_ms               a full commit in the middle of the history, which an allowed ref must
                            contain
    unknown_ms              a commit that does not exist; the answer is that it is unknown
    unknown_cpu_ms          CPU time of git for it
    …_again_ms              the same, requested again

Medians of several runs, in milliseconds.

With --nixpkgs-like: a repository with as many files and directories as nixpkgs, in which 300 files
change with each commit.

    first_s, first_mb       the first commit: seconds, and megabytes on the disk
    added_s, added_mb       the next commit, while the first one is in use
    next_s, next_mb         the commit after that, when the first one is idle
    checkout_s              git clone --depth=1 of the same repository, for comparison
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter

from nixery.errors import TagUnknown
from nixery.source import PackageSource
from nixery.source.address import parse_address
from nixery.source.factory import make_source
from nixery.source.remote import Remote
from nixery.source.trees import TreeLimits, Trees

COMMITS = 50_000
FILES = 53_000
CHANGED = 300


def main() -> None:
    options = _parser().parse_args()
    with TemporaryDirectory(prefix="nixery-bench-") as scratch:
        if options.nixpkgs_like:
            result = asyncio.run(measure_trees(Path(scratch), options.runs))
        else:
            result = asyncio.run(measure(Path(scratch), options.commits, options.runs))
    print(json.dumps(result))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench source",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each (5)")
    parser.add_argument("--commits", type=int, default=COMMITS, metavar="N", help="(50000)")
    parser.add_argument("--nixpkgs-like", action="store_true", help="50,000 files instead")
    return parser


async def measure(scratch: Path, commits: int, runs: int) -> dict[str, float]:
    repository = scratch / "repository"
    middle = generate(repository, commits)
    tags = {"branch": "main", "latest": "latest", "commit": middle}
    print(f"{commits} commits; milliseconds from tag to tree")
    result = {}
    for name, tag in tags.items():
        await _seconds(_source(repository, scratch), tag)  # fills the mirror, reads the tree
        first, again = [], []
        for _ in range(runs):
            source = _source(repository, scratch)
            first.append(await _seconds(source, tag))
            again.append(await _seconds(source, tag))
        result[f"{name}_ms"] = round(1000 * median(first), 1)
        result[f"{name}_again_ms"] = round(1000 * median(again), 1)
        print(f"{name:>8}{result[f'{name}_ms']:>10}{result[f'{name}_again_ms']:>10}")
    seconds, cpu = await _unknown(_source(repository, scratch), runs)
    result |= {"unknown_ms": round(1000 * seconds, 1), "unknown_cpu_ms": round(1000 * cpu, 1)}
    print(f" unknown{result['unknown_ms']:>10}")
    return result


async def _unknown(source: PackageSource, runs: int) -> tuple[float, float]:
    """Seconds and CPU seconds; another commit each time, since answers are cached."""
    seconds, cpu = [], []
    for number in range(runs):
        start, used = perf_counter(), _children()
        with suppress(TagUnknown):
            await source.resolve(f"{number + 1:040x}")
        seconds.append(perf_counter() - start)
        cpu.append(_children() - used)
    return median(seconds), median(cpu)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def measure_trees(scratch: Path, runs: int) -> dict[str, float]:
    repository = scratch / "repository"
    commits = generate_files(repository, 3)
    figures: dict[str, list[float]] = defaultdict(list)
    for run in range(runs):
        figures["checkout_s"].append(_clone(repository, scratch / f"clone-{run}"))
        state = scratch / f"state-{run}"
        now = [0.0]
        remote = Remote(parse_address(str(repository)), state / "git", os.environ)
        limits = TreeLimits(in_use_for=100, kept=2)
        trees = Trees(remote, state / "sources", limits, clock=partial(now.__getitem__, 0))
        for name, commit in zip(("first", "added", "next"), commits, strict=True):
            now[0] += 60
            disk, begin = _disk(state), perf_counter()
            await trees.read(commit)
            figures[f"{name}_s"].append(perf_counter() - begin)
            figures[f"{name}_mb"].append((_disk(state) - disk) / 1e6)
    result = {name: round(median(values), 2) for name, values in figures.items()}
    for name in ("first", "added", "next"):
        print(f"{name:>8}{result[f'{name}_s']:>8} s{result[f'{name}_mb']:>9} MB")
    return result


def _clone(repository: Path, target: Path) -> float:
    begin = perf_counter()
    clone = ["git", "clone", "--quiet", "--depth=1", f"file://{repository}", str(target)]
    subprocess.run(clone, check=True)
    return perf_counter() - begin


def _disk(directory: Path) -> int:
    """Bytes of the blocks that files and directories occupy; hard links once."""
    done = subprocess.run(["du", "-s", "-B1", directory], check=True, stdout=subprocess.PIPE)
    return int(done.stdout.split()[0])


def generate_files(repository: Path, commits: int) -> list[str]:
    """A bare repository with FILES files; each commit changes CHANGED of them."""
    random = Random(0)
    names = ["default.nix", *(_package(number) for number in range(FILES - 1))]
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", repository], check=True)
    importing = ["git", "-C", str(repository), "fast-import", "--quiet"]
    with subprocess.Popen(importing, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for number in range(commits):
            process.stdin.write(_commit(number))
            for name in names if number == 0 else random.sample(names, CHANGED):
                content = random.randbytes(random.randint(200, 3000)).hex().encode()
                process.stdin.write(_modified(name.encode(), content))
    listing = ["git", "-C", str(repository), "rev-list", "--reverse", "main"]
    found = subprocess.run(listing, check=True, stdout=subprocess.PIPE, text=True)
    return found.stdout.split()


def _package(number: int) -> str:
    """Two of three in a directory of their own, as in nixpkgs' pkgs/by-name."""
    if number % 3:
        return f"pkgs/by-name/{number % 600:03}/package-{number}/package.nix"
    return f"pkgs/modules/{number % 100}/{number}.nix"


def _commit(number: int) -> bytes:
    head = b"commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata 1\n.\n"
    return head % (1_600_000_000 + 60 * number)


def _modified(file: bytes, content: bytes) -> bytes:
    return b"M 100644 inline %s\ndata %d\n%s\n" % (file, len(content), content)


def _source(repository: Path, scratch: Path) -> PackageSource:
    """The state of a new process; with a time to live of zero, so that every tag is resolved."""
    return make_source(
        repo=str(repository),
        state_dir=scratch / "state",
        request_timeout=280,
        resolve_ttl=0,
        clock=monotonic,
        environ=os.environ,
    )


async def _seconds(source: PackageSource, tag: str) -> float:
    start = perf_counter()
    await source.read(await source.resolve(tag))
    return perf_counter() - start


def generate(repository: Path, commits: int) -> str:
    """A bare repository with one branch; returns a commit in the middle of its history."""
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", repository], check=True)
    importing = ["git", "-C", str(repository), "fast-import", "--quiet"]
    with subprocess.Popen(importing, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for record in _history(commits):
            process.stdin.write(record)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, importing)
    listing = ["git", "-C", str(repository), "rev-parse", f"main~{commits // 2}"]
    return subprocess.run(listing, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _history(commits: int) -> Iterator[bytes]:
    for number in range(commits):
        file = b"default.nix" if number == 0 else b"packages/%d.nix" % (number % 500)
        content = b"{ number = %d; }\n" % number
        yield _commit(number) + _modified(file, content)


if __name__ == "__main__":
    main()

"""The time from a tag to a readable tree, in a repository of 50,000 commits.

The server is warm: its mirror has the repository's commits and the tree was read before. Each tag
is requested from a new process (``first``), which has only the state directory, and again from the
same process (``again``), with a time to live of zero, so nothing is cached. ``git ls-remote`` is
part of every figure.

    branch_ms, latest_ms    a branch; HEAD
    commit_ms               a full commit in the middle of the history, which an allowed ref must
                            contain
    …_again_ms              the same, requested again

Medians of several runs, in milliseconds.
"""

import argparse
import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter

from nixery.source import PackageSource
from nixery.source.factory import make_source

COMMITS = 50_000


def main() -> None:
    options = _parser().parse_args()
    with TemporaryDirectory(prefix="nixery-bench-") as scratch:
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
    return result


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
        yield b"commit refs/heads/main\n"
        yield b"committer A <a@example.org> %d +0000\n" % (1_600_000_000 + 60 * number)
        yield b"data 1\n.\nM 100644 inline %s\ndata %d\n%s\n" % (file, len(content), content)


if __name__ == "__main__":
    main()

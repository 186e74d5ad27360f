"""The cost of a cached image: in the same process, and after a restart.

    warm_ms          median time at the handler (the server's own access log) in the process that
                     built the image; the package set is a path that did not change
    nix_processes    Nix commands that these requests ran
    restart_ms       time at the handler of a new process's first request when it is ready, with
                     the old process's storage and state, without its evaluation; median of the
                     runs
    evaluation_ms    that evaluation, which is needed because a path is not pinned; median

Milliseconds. Nix commands are counted and timed by a wrapper that precedes them on PATH. It writes
a file, so evaluation is not confined here; scripts/bench confine measures what that costs.
"""

import argparse
import json
import os
import shutil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cold import PROJECT
from benchmarks.server import Server, running

COMMAND = "nixery-prepare-image"
WRAPPER = """#!/bin/sh
begin=$(date +%s%N)
{command} "$@"
status=$?
echo "$1 $begin $(date +%s%N)" >> {log}
exit $status
"""


def main() -> None:
    options = _parser().parse_args()
    image = json.loads((PROJECT / "demo/images.json").read_text())[options.image]["name"]
    with TemporaryDirectory(prefix="nixery-bench-") as scratch:
        result = measure(image, options.requests, options.runs, Path(scratch))
    print(json.dumps(result))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench warm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--requests", type=int, default=200, metavar="N", help="warm ones (200)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="restarts (5)")
    parser.add_argument(
        "--image", choices=["1", "5", "20"], default="20", help="packages in the image (20)"
    )
    return parser


def measure(image: str, requests: int, runs: int, scratch: Path) -> dict[str, Any]:
    commands = Commands(scratch)
    storage, state = scratch / "storage", scratch / "state"
    with running(storage, state, PATH=commands.path, NIXERY_CONFINE="0") as server:
        _ask(server, image)
        before = len(commands.ran())
        # Within the time for which a path's fingerprint is cached.
        warm = [_ask(server, image) for _ in range(requests)]
        processes = len(commands.ran()) - before
    beyond, evaluations = [], []
    for _ in range(runs):
        before = len(commands.ran())
        with running(storage, state, PATH=commands.path, NIXERY_CONFINE="0") as server:
            # Its check of Nix is a process as well, and would compete with the evaluation.
            server.wait_until_ready()
            whole = _ask(server, image)
        ((step, milliseconds),) = commands.ran()[before:]
        assert step == "evaluate", f"a restarted server ran {step}"
        beyond.append(whole - milliseconds)
        evaluations.append(milliseconds)
    print(f"{image}: {requests} warm requests, {runs} restarts")
    print(f"warm     {min(warm):>8.2f} ms at best, {max(warm):.2f} at worst")
    print(
        f"restart  {min(beyond):>8.2f} ms at best beyond the evaluation, {max(beyond):.2f} at worst"
    )
    return {
        "warm_ms": round(median(warm), 2),
        "nix_processes": processes,
        "restart_ms": round(median(beyond), 1),
        "evaluation_ms": round(median(evaluations), 1),
    }


def _ask(server: Server, image: str) -> float:
    """Milliseconds at the handler."""
    server.manifest(image)
    return float(server.requests.next()["ms"])


class Commands:
    """A directory in front of PATH, whose builder command logs its subcommands."""

    def __init__(self, scratch: Path) -> None:
        real = shutil.which(COMMAND)
        assert real is not None, f"{COMMAND} is not on PATH"
        self._log = scratch / "commands"
        self._log.touch()
        directory = scratch / "bin"
        directory.mkdir()
        wrapper = directory / COMMAND
        wrapper.write_text(WRAPPER.format(command=real, log=self._log))
        wrapper.chmod(0o755)
        self.path = f"{directory}:{os.environ['PATH']}"

    def ran(self) -> list[tuple[str, float]]:
        """Subcommands with their milliseconds; without the check at each start."""
        lines = (line.split() for line in self._log.read_text().splitlines())
        return [
            (step, (int(end) - int(begin)) / 1e6) for step, begin, end in lines if step != "check"
        ]


if __name__ == "__main__":
    main()

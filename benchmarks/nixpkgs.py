"""Names looked up in a nixpkgs on this machine: their results, and what they cost.

Each name is evaluated as for a request with one package, in a separate store; nothing is built.

    status    ok, or the cause of the error; expected ones are in benchmarks/nixpkgs-names.txt
    cpu       CPU seconds of Nix; a name with an error may be evaluated up to three times
    MiB       peak resident memory of Nix

The line of JSON has medians and maxima over all names, and the number of unexpected results.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import structlog

from nixery.errors import NixeryError
from nixery.image_name import Architecture, ImageRequest
from nixery.nix import Evaluation, Nix
from nixery.source import SourceTree

NAMES = Path(__file__).parent / "nixpkgs-names.txt"
WRAPPER = """#!{python}
import json, resource, subprocess, sys
status = subprocess.call(["nixery-prepare-image", *sys.argv[1:]])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open({log!r}, "a") as file:
    print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]), file=file)
sys.exit(status)
"""


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    expected: str
    status: str
    message: str
    cpu: float
    mebibytes: float


def main() -> None:
    options = _parser().parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # Nix's lines are not shown
    with TemporaryDirectory(prefix="nixery-nixpkgs-") as scratch:
        results = asyncio.run(_measure(options.tree.resolve(), options.names, Path(scratch)))
    wrong = [result for result in results if result.status != result.expected]
    for result in wrong:
        print(f"{result.name}: {result.status}, but {result.expected} is expected")
    print(
        json.dumps(
            {
                "names": len(results),
                "unexpected": len(wrong),
                "cpu_median_s": round(median(result.cpu for result in results), 2),
                "cpu_max_s": round(max(result.cpu for result in results), 2),
                "median_mib": round(median(result.mebibytes for result in results)),
                "max_mib": round(max(result.mebibytes for result in results)),
            }
        )
    )
    sys.exit(1 if wrong else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/nixpkgs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tree", type=Path, metavar="DIR", help="a nixpkgs")
    parser.add_argument(
        "names", nargs="*", metavar="NAME[=STATUS]", help="instead of those in the file"
    )
    return parser


def expectations(given: Sequence[str], lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names with the expected status: those given, or otherwise those of the lines."""
    for text in given:
        name, _, status = text.partition("=")
        yield name, status or "ok"
    for line in [] if given else lines:
        if line.strip() and not line.startswith("#"):
            name, status = line.split()
            yield name, status


async def _measure(tree: Path, given: Sequence[str], scratch: Path) -> list[Result]:
    log, command = scratch / "log", scratch / "measured"
    command.write_text(WRAPPER.format(python=sys.executable, log=str(log)))
    command.chmod(0o755)
    environment = {**os.environ, "NIX_REMOTE": str(scratch / "store"), "HOME": str(scratch)}
    # Confined, the wrapper could not write its log.
    evaluation = Evaluation(confined=False, timeout=300)
    nix = Nix(environment=environment, evaluation=evaluation, command=str(command))
    results = []
    for name, expected in expectations(given, NAMES.read_text().splitlines()):
        log.write_text("")
        status, message = await _look_up(nix, SourceTree(tree, tree), name)
        costs = [json.loads(line) for line in log.read_text().splitlines()]
        cpu, mebibytes = sum(cost[0] for cost in costs), max(cost[1] for cost in costs)
        results.append(Result(name, expected, status, message, cpu, mebibytes))
        print(f"{name:<42} {status:<14} {cpu:>6.2f} {mebibytes:>6.0f}  {message}", flush=True)
    return results


async def _look_up(nix: Nix, tree: SourceTree, name: str) -> tuple[str, str]:
    try:
        await nix.evaluate(tree, ImageRequest((name,), Architecture.AMD64))
    except NixeryError as error:
        return error.cause or type(error).__name__, error.message
    return "ok", ""


if __name__ == "__main__":
    main()

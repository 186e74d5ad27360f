"""The time that confinement adds to evaluating one name of the tests' tiny set.

Three ways, alternately, so that a machine that slows down slows all of them:

    confined     as in the server
    launched     the launcher alone, without Landlock and seccomp (NIXERY_CONFINE=0)
    direct       the builder's command without the launcher

    direct_ms        median of the direct way
    confined_ms      median of the additional time of the confined way, pair by pair
    launched_ms      the same of the launcher alone
    confined_ratio   median of the confined way / of the direct way
"""

import argparse
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from support.tiny_set import make_tiny_set, nix_environment

from nixery import expressions
from nixery.confinement import command_line
from nixery.nix.environment import confined, for_nix
from nixery.nix.machine import Machine


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench confine", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--runs", type=int, default=40)
    runs = parser.parse_args().runs
    with TemporaryDirectory(prefix="nixery-bench-") as place:
        times = measure(Path(place), runs)
    figures = {
        "direct_ms": median(times["direct"]),
        **{f"{way}_ms": _added(times[way], times["direct"]) for way in ("confined", "launched")},
        "confined_ratio": median(times["confined"]) / median(times["direct"]),
    }
    for name, value in figures.items():
        print(f"{name:>16} {value:8.2f}")
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


def measure(place: Path, runs: int) -> Mapping[str, Sequence[float]]:
    """Milliseconds of each way; the first run fills the store and is discarded."""
    tree, home = make_tiny_set(), place / "home"
    home.mkdir()
    environment = confined(for_nix(nix_environment(place / "store", home)), home)
    environment |= {"NIXERY_EXPRESSIONS": str(expressions.DIRECTORY)}
    machine = Machine(environment)
    machine.store.mkdir()
    script = shutil.which("nixery-prepare-image", path=environment["PATH"])
    assert script, "scripts/bench installs it"
    command = [*expressions.resolved_command(script), "evaluate", "-I", f"source={tree}"]
    ways = {
        "confined": command_line(command, machine.evaluation([tree], home, ())),
        "launched": command_line(command, None),
        "direct": command,
    }
    asked = {"set": str(tree), "system": "x86_64-linux", "config": {}, "names": ["hello"]}
    question = json.dumps(asked).encode()
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(runs + 1):
        for way, line in ways.items():
            began = perf_counter()
            subprocess.run(line, input=question, env=environment, check=True, capture_output=True)
            times[way].append((perf_counter() - began) * 1000)
    return {way: measured[1:] for way, measured in times.items()}


def _added(times: Sequence[float], base: Sequence[float]) -> float:
    return median(time - other for time, other in zip(times, base, strict=True))


if __name__ == "__main__":
    main()

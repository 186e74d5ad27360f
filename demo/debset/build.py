"""Builds packages of a finished set with the caller's Nix."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from debset.progress import Progress

_TAIL = 20  # lines of a failed build's log


def build(output: Path, names: list[str]) -> int:
    """Prints store paths on stdout and progress on stderr.

    Writes Nix's messages to ``build.log``.
    """
    if shutil.which("nix-build") is None:
        print("demo: --build and --check need Nix (nix-build is not on PATH)", file=sys.stderr)
        return 1
    # Asking Nix whether paths are valid takes a tenth of the time of evaluating them.
    built = output / "built"
    if not names and built.exists() and _are_valid(built.read_text().split()):
        print(built.read_text(), end="")
        return 0
    made = json.loads((output / "set.json").read_text())
    wanted = names or [*made["attrs"], *made["nested"]]
    done = _nix_build(output, wanted)
    if done is None:
        return 1
    if not names:
        built.write_text(done)
    print(done, end="")
    return 0


def _are_valid(paths: list[str]) -> bool:
    command = ["nix-store", "--check-validity", *paths]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _nix_build(output: Path, names: list[str]) -> str | None:
    progress = Progress()
    progress.say(f"building {len(names)} packages and their dependencies with Nix")
    log = output / "build.log"

    chosen = [word for name in names for word in ("-A", name)]
    jobs = str(os.cpu_count() or 1)
    with (
        log.open("w") as errors,
        progress.watch(lambda: count_builds(log.read_text(errors="replace"))),
    ):
        done = subprocess.run(
            ["nix-build", str(output), "--no-out-link", "--max-jobs", jobs, *chosen],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        print("".join(log.read_text().splitlines(keepends=True)[-_TAIL:]), file=sys.stderr)
        print(f"demo: nix-build failed, see above and {log}", file=sys.stderr)
        return None
    progress.say("built")
    return done.stdout


def count_builds(log: str) -> str:
    r"""The progress of Nix, parsed from its output.

    >>> count_builds("these 3 derivations will be built:\n  a\nbuilding 'a'...\na: done\n")
    'build 1 of 3'
    """
    total = re.search(r"^these (\d+) derivations will be built", log, re.MULTILINE)
    begun = len(re.findall(r"^building '", log, re.MULTILINE))
    if total is None:
        return f"build {begun}" if begun else "Nix evaluates the set"
    return f"build {begun} of {total[1]}"

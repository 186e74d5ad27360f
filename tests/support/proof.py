"""Pytest plugin of `scripts/test --full`: long proofs, and a record of the run.

    --full         runs the tests that are marked `full`, which are otherwise deselected
    --proof=FILE   writes a record as JSON: counts per file, every skip with its reason, values
                   recorded by tests (``record_property("checked", 50)``), and facts of the
                   machine (no paths, no names)

A proof that checks a sample uses the fixture ``full`` to decide its size. Keys are sorted, so that
records can be compared.
"""

import json
import os
import platform
import shutil
import subprocess
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("proof")
    group.addoption("--full", action="store_true", help="run the long proofs too")
    group.addoption("--proof", type=Path, metavar="FILE", help="write what ran to FILE, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    # Under xdist only the controller gets all reports.
    if (target := config.getoption("--proof")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Proof(ROOT / target))


def pytest_report_header() -> str:
    return f"nix: {nix_version()}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    long = [item for item in items if item.get_closest_marker("full")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether proofs check everything instead of a sample."""
    return bool(request.config.getoption("--full"))


class Proof:
    """Collects reports, and writes them when the session ends."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.skips: list[dict[str, str]] = []
        self.recorded: dict[str, dict[str, object]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A passed test reports its call; one that is skipped or fails earlier does not.
        if report.when == "call" or not report.passed:
            self._count(report)
        if report.user_properties and report.when == "call":
            self.recorded[report.nodeid] = dict(report.user_properties)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        # A file that is skipped, or cannot be imported, only reports here.
        if not report.passed:
            self._count(report)

    def pytest_sessionfinish(self) -> None:
        record = {
            "commit": _output("git", "-C", str(ROOT), "rev-parse", "HEAD"),
            "date": datetime.now(UTC).date().isoformat(),
            "files": {file: dict(counts) for file, counts in self.counts.items()},
            "machine": machine(),
            "recorded": self.recorded,
            "skips": sorted(self.skips, key=lambda skip: (skip["test"], skip["reason"])),
            "total": dict(sum(self.counts.values(), Counter())),
            # With uncommitted changes, the record does not describe the commit that it names.
            "uncommitted": bool(_output("git", "-C", str(ROOT), "status", "--porcelain", "-uno")),
        }
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.target.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")

    def _count(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        self.counts[report.nodeid.split("::")[0]][report.outcome] += 1
        if report.skipped:
            self.skips.append({"test": report.nodeid, "reason": _reason(report)})


def machine() -> dict[str, Any]:
    release = platform.freedesktop_os_release()
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "nix": nix_version(),
        "python": platform.python_version(),
        "system": f"{release['NAME']} {release.get('VERSION_ID', '')}".strip(),
        "user": "root" if os.geteuid() == 0 else "ordinary",
    }


def nix_version() -> str:
    return _output("nix", "--version") if shutil.which("nix") else "none"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").replace(str(ROOT), ".")


def _output(*command: str) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()

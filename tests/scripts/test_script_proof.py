"""The record that `scripts/test --full` writes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SUITE = """
import pytest

@pytest.mark.full
def test_long(): pass

def test_short(record_property, full): record_property("checked", 50 if full else 5)

@pytest.mark.skip(reason="no such device")
def test_skipped(): pass

def test_broken(): raise AssertionError
"""


@pytest.fixture
def record(tmp_path):
    """Runs a small suite; returns pytest's output and the record, or None."""

    def run(*arguments):
        (tmp_path / "test_suite.py").write_text(SUITE)
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = full: long\n")
        target = tmp_path / "proof.json"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "support.proof",
            f"--proof={target}",
            *arguments,
        ]
        path = {"PYTHONPATH": str(TESTS), "PATH": "/usr/bin:/bin"}
        result = subprocess.run(
            command, cwd=tmp_path, env=path, check=False, capture_output=True, text=True
        )
        return result.stdout, json.loads(target.read_text())

    return run


def test_counts_per_file_and_skip_reasons(record):
    """With workers, as scripts/test runs it: only the controller may write."""
    _, proof = record("--full", "-n1")
    assert proof["files"] == {"test_suite.py": {"failed": 1, "passed": 2, "skipped": 1}}
    assert proof["total"] == proof["files"]["test_suite.py"]
    assert proof["skips"] == [{"reason": "no such device", "test": "test_suite.py::test_skipped"}]
    assert proof["recorded"] == {"test_suite.py::test_short": {"checked": 50}}
    assert {"cores", "nix", "python"} <= proof["machine"].keys()


def test_long_proofs_run_only_with_full(record):
    output, proof = record()
    assert proof["total"]["passed"] == 1
    assert proof["recorded"] == {"test_suite.py::test_short": {"checked": 5}}
    assert "1 deselected" in output

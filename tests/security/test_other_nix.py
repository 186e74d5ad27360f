"""The attacks of this folder against Nix 2.26 and 2.34, whose vulnerabilities differ from 2.8's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WITH_NIX = HERE.parents[1] / "scripts/with-nix"


@pytest.mark.full
@pytest.mark.nix
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put another Nix in place")
@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_attacks(suite, tmp_path, record_property):
    command = [sys.executable, "-m", "pytest", "-m", "nix and not full", "-q", str(HERE)]
    done = subprocess.run(
        [WITH_NIX, suite, *command, f"--basetemp={tmp_path / 'inner'}", "-p", "no:cacheprovider"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    record_property("attacks", re.findall(r"(\d+) passed", done.stdout)[-1])

"""scripts/nixpkgs, with the tiny set in place of nixpkgs."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.tiny_set import NIX_CONF_DIR

ROOT = Path(__file__).parents[2]
STATUSES = {
    *("ok", "unfree", "broken", "insecure", "unsupported"),
    *("removed", "not_found", "not_a_package"),
}


def look_up(tree, *names):
    return subprocess.run(
        [ROOT / "scripts/nixpkgs", tree, *names],
        env=os.environ | {"NIX_CONF_DIR": str(NIX_CONF_DIR)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.nix
def test_results_are_compared_with_the_expected_ones(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path, dirs_exist_ok=True)
    (tmp_path / "pkgs").mkdir()
    done = look_up(tmp_path, "hello", "gti=not_found", "unfree=ok")
    assert done.returncode == 1, done.stderr
    *table, unexpected, figures = done.stdout.splitlines()
    assert [line.split()[:2] for line in table] == [
        ["hello", "ok"],
        ["gti", "not_found"],
        ["unfree", "unfree"],
    ]
    assert unexpected == "unfree: unfree, but ok is expected"
    assert json.loads(figures)["max_mib"] > 10


def test_a_tree_that_is_not_there_is_skipped(tmp_path):
    done = look_up(tmp_path)
    assert done.returncode == 0
    assert "skipped" in done.stderr


def test_the_list():
    lines = (ROOT / "benchmarks/nixpkgs-names.txt").read_text().splitlines()
    names = [line.split() for line in lines if not line.startswith("#")]
    assert {status for _, status in names} == STATUSES
    assert len({name for name, _ in names}) == len(names)

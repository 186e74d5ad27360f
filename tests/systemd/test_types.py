"""The scripts of nixos-tests/ are typed, against the interface of both drivers.

As NixOS' driver does it: the names that a script finds are declared before its text.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.nixos_module import ROOT

SCRIPTS = sorted((ROOT / "nixos-tests").glob("*.py"))
INTERFACE = """\
from collections.abc import Callable
from contextlib import AbstractContextManager
from support.systemd.machine import Machine
start_all: Callable[[], None]
subtest: Callable[[str], AbstractContextManager[None]]
"""


def nodes(script):
    """The machines that the test's Nix file declares, and the client that may be one of them."""
    return re.findall(r"^  nodes\.(\w+)", script.with_suffix(".nix").read_text(), re.MULTILINE)


def check(source, tmp_path):
    file = tmp_path / "script.py"
    file.write_text(source)
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache",
         "--follow-imports=silent", file],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"MYPYPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_scripts_are_typed(script, tmp_path):
    machines = "".join(f"{name}: Machine\n" for name in nodes(script))
    done = check(INTERFACE + machines + script.read_text(), tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_wrong_use_is_noticed(tmp_path):
    done = check(INTERFACE + "registry: Machine\nregistry.succed('true')\n", tmp_path)
    assert '"Machine" has no attribute "succed"' in done.stdout

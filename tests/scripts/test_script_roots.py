"""Other systems in directories: Debian's other Nix versions, and a machine that has nothing."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make and enter another system"),
]


def run(*command):
    return subprocess.run(
        [ROOT / "scripts" / command[0], *command[1:]],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def version(text):
    """(2, 8, 0) of `nix (Nix) 2.8.0`."""
    return tuple(map(int, re.findall(r"\d+", text)))


def test_another_debians_nix_takes_the_place_of_this_one():
    here = subprocess.run(["nix", "--version"], check=True, capture_output=True, text=True).stdout
    there = run("with-nix", "trixie", "/usr/bin/nix-build", "--version")
    assert there.returncode == 0, there.stderr
    assert version(there.stdout) != version(here)
    assert "Nix here:" in there.stderr


def test_what_runs_with_another_nix_has_its_own_store(tmp_path):
    """A path that is added there does not exist here, and the status is the command's."""
    (tmp_path / "added").write_text(str(tmp_path))
    script = f'path=$(nix-store --add {tmp_path}/added) && ls "$path" && exit 3'
    result = run("with-nix", "trixie", "bash", "-c", script)
    assert result.returncode == 3, result.stderr
    assert not Path(result.stdout.strip()).exists()


def test_what_a_command_leaves_running_ends_with_it(tmp_path):
    """It holds a lock, which only a running process can hold."""
    lock = tmp_path / "lock"
    left = f"flock {lock} sleep infinity & until ! flock -n {lock} true; do :; done"
    assert run("with-nix", "trixie", "bash", "-c", left).returncode == 0
    assert subprocess.run(["flock", lock, "true"], check=False, timeout=30).returncode == 0


def test_the_registry_serves_on_a_machine_that_had_nothing():
    result = run("fresh", "scripts/run", "--once", "git/htop")
    assert result.returncode == 0, result.stderr
    assert "GET /v2/git/htop/manifests/latest: HTTP/1.1 200 OK" in result.stdout


def test_the_packages_checks_pass_with_the_versions_of_nixpkgs():
    """The derivation runs them with these libraries, on this Python."""
    done = run("test", "--nixpkgs")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout

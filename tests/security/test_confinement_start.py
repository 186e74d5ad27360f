"""Machines that cannot confine evaluation, and servers on them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nixery import confinement
from nixery.backends import open_nix
from nixery.confinement import Confinement, command_line
from nixery.errors import ConfigurationError
from nixery.settings import load

SYSTEM = tuple(map(Path, ("/usr", "/bin", "/lib", "/lib64", "/dev/null")))
FORBID = """
import ctypes, os, sys
sys.path.insert(0, {directory!r})
import seccomp
forbidden = {forbidden}
code = [(seccomp._LOAD, 0, 0, 0), *seccomp._refuse(seccomp._EQUAL, forbidden[0], 38)]
if forbidden[1] is not None:  # only with this first argument
    code = [
        (seccomp._LOAD, 0, 0, 0), (seccomp._EQUAL, 1, 0, forbidden[0]),
        (seccomp._RETURN, 0, 0, seccomp._ALLOW), (seccomp._LOAD, 0, 0, 16),
        *seccomp._refuse(seccomp._EQUAL, forbidden[1], 22),
    ]
code.append((seccomp._RETURN, 0, 0, seccomp._ALLOW))
seccomp.install(code)
os.execvp(sys.argv[1], sys.argv[1:])
"""
LANDLOCK = (444, None)
CAPSET = (126 if os.uname().machine == "x86_64" else 91, None)
SECCOMP = (157 if os.uname().machine == "x86_64" else 167, 22)  # prctl(PR_SET_SECCOMP)


def test_confinement_that_fails():
    """The command is not run."""
    line = command_line(["/bin/echo", "run"], Confinement(readable=SYSTEM))
    done = _without(LANDLOCK, line)
    assert (done.returncode, done.stdout) == (confinement.LAUNCHER_FAILED, "")
    assert done.stderr.startswith("error: /bin/echo cannot be run confined: the kernel has no Land")


@pytest.mark.parametrize(
    ("forbidden", "named"),
    [
        (LANDLOCK, "files: "),
        (SECCOMP, "network: "),
        pytest.param(
            CAPSET,
            "privileges: ",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root has powers to drop"),
        ),
    ],
    ids=["files", "network", "privileges"],
)
def test_server_that_cannot_confine(tmp_path, forbidden, named):
    """It ends before it listens, and names what is missing; the operator may accept that."""
    nixery = str(Path(sys.executable).with_name("nixery"))
    settings = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "NIXERY_PKGS_PATH": str(tmp_path / "set"),
        "NIXERY_STORAGE_BACKEND": "filesystem",
        "STORAGE_PATH": str(tmp_path / "storage"),
        "NIXERY_ALLOW_IFD": "0",
        "PORT": "0",
    }
    (tmp_path / "set").mkdir()
    (tmp_path / "set/default.nix").write_text("{ }")
    done = _without(forbidden, [nixery, "serve"], env=settings)
    assert done.returncode == 2
    assert "this machine cannot confine evaluation" in done.stderr
    assert named in done.stderr
    assert "NIXERY_CONFINE=0" in done.stderr


def _without(forbidden, command, **options):
    """Runs a command for which the kernel lacks a system call, or one with that argument."""
    directory = str(confinement.LAUNCHER.parent)
    script = FORBID.format(directory=directory, forbidden=forbidden)
    return subprocess.run(
        [sys.executable, "-c", script, *command],
        check=False,
        capture_output=True,
        text=True,
        **options,
    )


def test_import_from_derivation_without_a_daemon(tmp_path):
    """The sandbox of its builds cannot be set up within: said at the start, not by each image."""
    given = {
        "NIXERY_PKGS_PATH": str(tmp_path),
        "NIXERY_STORAGE_BACKEND": "filesystem",
        "STORAGE_PATH": str(tmp_path),
        "NIXERY_ALLOW_IFD": "1",
    }
    alone, with_daemon = {"NIX_REMOTE": "/srv/store"}, {"NIX_REMOTE": "daemon"}
    with pytest.raises(ConfigurationError, match="NIX_REMOTE=daemon, or NIXERY_CONFINE=0"):
        open_nix(load(given | alone), alone)
    assert open_nix(load(given | with_daemon), with_daemon)
    assert open_nix(load(given | alone | {"NIXERY_CONFINE": "0"}), alone)

"""Shared code of the scripts: installing packages, the Python environment, Nix's settings."""

import os
from pathlib import Path

import pytest

# Answers with the next of $ANSWERS (0 or an apt error message), and records its arguments.
APT = """#!/bin/bash
echo "apt-get ${*//-o [A-Za-z]*=[a-zA-Z0-9]* /}" >>"$LOG"
number=$(grep -c ^apt-get "$LOG")
IFS='|' read -ra answers <<<"$ANSWERS"
answer=${answers[number - 1]:-ok}
[[ ! -x ${START_POLICY:-} ]] || sh "$START_POLICY" || echo "starting a service: $?" >>"$LOG"
[[ $answer == ok ]] || { echo "$answer" >&2; exit 100; }
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root installs packages")


@pytest.fixture
def apt(project):
    project.command("apt-get", APT)

    def install(*wanted: str, answers: str = "", index: bool = True):
        there = "true" if index else "false"
        return project.bash(
            f"apt_index_exists() {{ {there}; }}; need {' '.join(wanted)}", ANSWERS=answers
        )

    return install


def verbs(log):
    """The packages requested from apt-get, without its options."""
    return [[word for word in line.split()[1:] if not word.startswith("-")] for line in log]


def test_installed_commands_need_no_apt(apt, project):
    result = apt("bash=bash", "sh=dash")
    assert (result.returncode, result.stderr, project.log) == (0, "", [])


@AS_ROOT
def test_all_that_is_missing_comes_with_one_call(apt, project):
    result = apt("bash=bash", "no-such-1=first,second", "no-such-2=third")
    assert result.returncode == 0
    assert "installing with apt: first second third" in result.stderr
    assert [words[-4:] for words in verbs(project.log)] == [["install", "first", "second", "third"]]


@AS_ROOT
def test_no_service_is_started(project, tmp_path):
    """Debian asks a file of this name, whose 101 means no; it is gone afterwards."""
    project.command("apt-get", APT)
    policy = tmp_path / "policy"
    script = f"apt_index_exists() {{ true; }}; export START_POLICY={policy}; need no-such=x"
    assert project.bash(script, ANSWERS="").returncode == 0
    assert project.log[1:] == ["starting a service: 101"]
    assert not policy.exists()


@AS_ROOT
def test_the_policy_of_the_machine_stays(project, tmp_path):
    project.command("apt-get", APT)
    policy = tmp_path / "policy"
    policy.write_text("exit 104")
    policy.chmod(0o755)
    script = f"apt_index_exists() {{ true; }}; export START_POLICY={policy}; need no-such=x"
    assert project.bash(script, ANSWERS="").returncode == 0
    assert project.log[1:] == ["starting a service: 104"]
    assert policy.read_text() == "exit 104"


@AS_ROOT
@pytest.mark.parametrize(
    ("index", "answers"), [(False, ""), (True, "E: Unable to locate package x|ok|ok")]
)
def test_an_absent_or_old_index_is_updated_first(apt, project, index, answers):
    assert apt("no-such=x", index=index, answers=answers).returncode == 0
    words = verbs(project.log)
    assert "update" in words[-2]
    assert words[-1][-2:] == ["install", "x"]


@AS_ROOT
def test_a_failing_mirror_is_called_that(apt):
    result = apt("no-such=x", index=False, answers="E: Failed to fetch something|")
    assert result.returncode == 1
    assert "the Debian mirror failed" in result.stderr.splitlines()[-1]


@AS_ROOT
def test_another_failure_of_apt_is_not_blamed_on_the_mirror(apt):
    result = apt("no-such=x", answers="E: dpkg was interrupted|ok|E: dpkg was interrupted")
    assert result.returncode == 1
    assert "mirror" not in result.stderr
    assert "dpkg was interrupted" in result.stderr


def test_missing_packages_are_named_without_root(project):
    """In a separate user namespace root is nobody, and still reads its files."""
    project.command("apt-get", APT)
    wrapper = ["unshare", "--user"] if os.geteuid() == 0 else []
    result = project.bash("need no-such-1=first no-such-2=second", *wrapper)
    assert result.returncode == 1
    assert "missing here: first second. Install them as root" in result.stderr
    assert project.log == []


PIP = 'pip() { echo "pip $*" >>"$LOG"; }; '


@pytest.fixture
def use_venv(project):
    """Runs use_venv with pip left out; gives the number of packages' installations."""

    def use(*locks: str) -> int:
        before = len(project.log)
        result = project.bash(PIP + "; ".join(f"use_venv {lock}" for lock in locks))
        assert result.returncode == 0, result.stderr
        return sum("--require-hashes" in line for line in project.log[before:])

    return use


def test_a_venv_that_is_good_is_left_alone(use_venv):
    assert use_venv("runtime") == 1
    assert use_venv("runtime") == 0


def test_the_test_set_serves_the_runtime_but_not_the_reverse(use_venv):
    assert use_venv("runtime", "test") == 2
    assert use_venv("runtime", "test") == 0


@pytest.mark.parametrize("file", ["requirements/runtime.txt", "pyproject.toml"])
def test_a_changed_lock_is_installed(use_venv, project, file):
    use_venv("test")
    with (project.root / file).open("a") as text:
        text.write("# changed\n")
    assert use_venv("test") == 1


def test_a_venv_of_another_project_is_not_taken(use_venv, project):
    """Its commands name the Python of the place where it was made."""
    use_venv("test")
    stamp = (project.root / ".venv/stamp").read_text()
    moved = project.root.with_name("moved")
    project.root.rename(moved)
    project.root = moved
    assert use_venv("test") == 1
    assert (moved / ".venv/stamp").read_text() != stamp


@pytest.mark.parametrize(
    "environment",
    [{"NIX_CONF_DIR": "/etc/other"}, {"NIX_REMOTE": "daemon"}],
    ids=["configured", "daemon"],
)
def test_a_configured_nix_keeps_its_configuration(project, environment):
    result = project.bash('use_private_nix_conf; echo "${NIX_CONF_DIR:-}"', **environment)
    assert result.stdout.strip() == environment.get("NIX_CONF_DIR", "")


@pytest.mark.skipif(
    Path("/etc/nix/nix.conf").exists() or Path("/nix/var/nix/daemon-socket/socket").exists(),
    reason="this machine has a Nix configuration of its own",
)
def test_a_nix_without_configuration_gets_ours(project):
    result = project.bash('use_private_nix_conf; echo "$NIX_CONF_DIR"')
    assert result.stdout.strip() == str(project.root / "scripts/nix")

"""The command: does nothing when the set is complete, and runs one at a time."""

import fcntl
import json
import subprocess

import pytest
from debset import cli
from support.demo_set import DEMO

SCRIPT = DEMO.parent / "scripts/demo"


@pytest.fixture
def made(tmp_path):
    """A directory that looks as if the maker had finished."""
    (tmp_path / "debs").mkdir()
    (tmp_path / "debs/a.deb").write_text("")
    made = {
        "attrs": {"a": "a"},
        "nested": {},
        "nodes": {"a": {"debs": [{"file": "a.deb"}]}},
        "boot": {"debs": []},
    }
    (tmp_path / "set.json").write_text(json.dumps(made))
    stamp = {"code": cli._stamp(), "whole": False}
    (tmp_path / "stamp").write_text(json.dumps(stamp))
    return tmp_path


def test_help_names_the_output_directory():
    done = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, check=True)
    assert ".nixery/demo" in done.stdout
    assert "--whole" in done.stdout


def test_a_finished_set_is_left_alone(made):
    done = subprocess.run([SCRIPT, "--output", made], capture_output=True, text=True, check=True)
    assert done.stdout == f"{made}\n"
    assert done.stderr == ""


def test_the_whole_set_stays_whole(made):
    """A run for less must not remove what another run made."""
    (made / "whole").touch()
    (made / "stamp").write_text(json.dumps({"code": cli._stamp(), "whole": True}))
    assert cli.main(["--output", str(made)]) == 0
    assert cli.main(["--output", str(made), "--whole"]) == 0


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda d: (d / "stamp").unlink(), id="interrupted"),
        pytest.param(lambda d: (d / "stamp").write_text("{"), id="torn stamp"),
        pytest.param(lambda d: (d / "stamp").write_text('{"code": "x"}'), id="other code"),
        pytest.param(lambda d: (d / "debs/a.deb").unlink(), id="a file is gone"),
        pytest.param(lambda d: (d / "set.json").unlink(), id="the set is gone"),
    ],
)
def test_unfinished_work_is_repeated(made, spoil):
    assert cli._is_made(made, cli._stamp(), whole=False)
    spoil(made)
    assert not cli._is_made(made, cli._stamp(), whole=False)


def test_the_small_selection_is_not_the_whole(made):
    assert not cli._is_made(made, cli._stamp(), whole=True)


def test_a_second_run_waits_for_the_first(made):
    """It reports that it waits, and continues when the lock is free."""
    with (made / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(
            [SCRIPT, "--output", made], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert "waiting" in second.stderr.readline()
        assert second.poll() is None
    out, _ = second.communicate(timeout=60)
    assert (second.returncode, out) == (0, f"{made}\n")


def test_building_needs_nix(made, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["--output", str(made), "--build"]) == 1
    assert "nix-build is not on PATH" in capfd.readouterr().err

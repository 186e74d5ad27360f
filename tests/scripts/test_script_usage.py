"""Every script explains itself, and refuses unknown options."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(
    str(path.relative_to(ROOT / "scripts"))
    for path in (ROOT / "scripts").rglob("*")
    if path.is_file() and os.access(path, os.X_OK)
)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_the_script_and_succeeds(project, name):
    """`--help` installs nothing: it must answer on a machine that has nothing."""
    result = project.run(str(ROOT / "scripts" / name), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"scripts/{name}" in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--twice"],
        ["run", "--once", "hello", "more"],
        ["lint", "everything"],
        ["test", "--nix", "bullseye"],
        ["test", "--nix"],
        ["with-nix", "bullseye", "true"],
        ["with-nix", "trixie"],
        ["fresh"],
        ["fresh", "--unknown", "true"],
        ["bench", "no-such"],
        ["bench", "nosuch"],
        ["demo", "--unknown"],
        ["fuzz"],
        ["fuzz", "many"],
        ["fuzz", "10", "20", "30"],
    ],
    ids=" ".join,
)
def test_misuse_prints_a_message_and_exits_with_2(project, command):
    result = project.run(str(ROOT / "scripts" / command[0]), *command[1:])
    assert result.returncode == 2
    assert command[0] in result.stderr

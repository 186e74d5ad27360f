"""Nix expressions that look up packages, and the builder's shell script."""

import os
import sys
from pathlib import Path

DIRECTORY = Path(__file__).parent
_SCRIPT = ("/bin/sh", str(DIRECTORY / "prepare-image.sh"))
_WRITTEN_BY_INSTALLERS = 4096  # bytes; they are much shorter


def main() -> None:
    """Console script ``nixery-prepare-image``: executes the shell script in this directory.

    Imports little, because it may start with every Nix command of the server.
    """
    os.environ["NIXERY_EXPRESSIONS"] = str(DIRECTORY)
    os.execv(_SCRIPT[0], [*_SCRIPT, *sys.argv[1:]])  # noqa: S606 - it is a shell


def resolved_command(command: str) -> list[str]:
    """The command, or the shell script if the command is this console script.

    That saves a start of Python, and a confined command needs no access to Python's packages.
    NIXERY_EXPRESSIONS must be set to DIRECTORY.
    """
    with Path(command).open("rb") as file:
        is_ours = __name__.encode() in file.read(_WRITTEN_BY_INSTALLERS)
    return list(_SCRIPT) if is_ours else [command]

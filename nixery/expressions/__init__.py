"""The Nix side: the expression that looks up packages, and the builder's script."""

import os
import sys
from pathlib import Path

DIRECTORY = Path(__file__).parent
_SCRIPT = ("/bin/sh", str(DIRECTORY / "prepare-image.sh"))
_WRITTEN_BY_INSTALLERS = 4096  # bytes; they are far shorter


def main() -> None:
    """The console script ``nixery-prepare-image``: becomes the shell script beside this file.

    Imports little, because it may start with every Nix command that the server runs.
    """
    os.environ["NIXERY_EXPRESSIONS"] = str(DIRECTORY)
    os.execv(_SCRIPT[0], [*_SCRIPT, *sys.argv[1:]])  # noqa: S606 - a shell it is


def what_becomes_of(command: str) -> list[str]:
    """The command, or what it becomes where it is this console script.

    That saves a start of Python, and a confined command need not see Python's packages.
    NIXERY_EXPRESSIONS must be set to DIRECTORY.
    """
    with Path(command).open("rb") as file:
        is_ours = __name__.encode() in file.read(_WRITTEN_BY_INSTALLERS)
    return list(_SCRIPT) if is_ours else [command]

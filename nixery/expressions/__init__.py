"""The Nix side: the expression that looks up packages, and the builder's script."""

import os
import sys
from pathlib import Path


def main() -> None:
    """The console script ``nixery-prepare-image``: becomes the shell script beside this file.

    Imports little, because it starts with every Nix command that the server runs.
    """
    directory = Path(__file__).parent
    os.environ["NIXERY_EXPRESSIONS"] = str(directory)
    script = str(directory / "prepare-image.sh")
    os.execv("/bin/sh", ["/bin/sh", script, *sys.argv[1:]])  # noqa: S606 - a shell it is

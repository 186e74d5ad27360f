"""Checks of an image's destination, before anything is built.

Images are renamed to their destination, so that they appear completely. A rename replaces links,
devices and pipes too: ``-o /dev/stdout`` would destroy it.
"""

import os
import stat
from pathlib import Path

from nixery.errors import ConfigurationError

MOUNTS = Path("/proc/self/mountinfo")


def place_of_directory(target: Path) -> Path:
    """The target of links: missing, or an empty directory. Raises ConfigurationError, OSError."""
    there, place = _look(target)
    if there is None:
        return place
    if not stat.S_ISDIR(there.st_mode) or any(place.iterdir()):
        raise ConfigurationError(
            f"{target} exists, and is not an empty directory: name another place"
        )
    _check_movable(target, place)
    if place == Path.cwd().resolve():
        # A shell in that directory would stay in the old one, which is deleted.
        raise ConfigurationError(
            f"{target} is the current directory, which cannot be replaced: name a directory in it"
        )
    return place


def place_of_file(target: Path) -> Path:
    """The target of links: missing, or a regular file. Raises ConfigurationError, OSError."""
    there, place = _look(target)
    if there is None:
        return place
    if stat.S_ISDIR(there.st_mode):
        raise ConfigurationError(f"{target} is a directory: name a file")
    if not stat.S_ISREG(there.st_mode):
        raise ConfigurationError(
            f"{target} is not a regular file, and would be replaced by one: name a file"
        )
    _check_movable(target, place)
    return place


def _look(target: Path) -> tuple[os.stat_result | None, Path]:
    place = Path(os.path.realpath(target))
    try:
        # Of the target itself: /dev/stdout links to a pipe, whose real path does not exist.
        return target.stat(), place
    except FileNotFoundError:
        return None, place
    except NotADirectoryError:
        raise ConfigurationError(
            f"{target.parent} is not a directory: name another place"
        ) from None


def _check_movable(target: Path, place: Path) -> None:
    if _is_mounted(place):
        raise ConfigurationError(
            f"{target} is a mount point, which cannot be replaced: name another place"
        )


def _is_mounted(place: Path) -> bool:
    """Also True for a bind mount of the same file system, which has the same device number."""
    path = os.fsencode(place)
    for special in b"\\ \t\n":
        path = path.replace(bytes([special]), b"\\%03o" % special)
    return any(line.split(b" ")[4] == path for line in MOUNTS.read_bytes().splitlines())

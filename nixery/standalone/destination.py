"""Where an image goes. What cannot be put there is said before anything is built.

Images are renamed into their place, so that they appear whole. A rename puts what it moves in the
place of a link, of a device and of a pipe alike: ``-o /dev/stdout`` would be the end of it.
"""

import os
import stat
from pathlib import Path

from nixery.errors import ConfigurationError

MOUNTS = Path("/proc/self/mountinfo")


def place_of_directory(target: Path) -> Path:
    """Where links lead to: nothing, or an empty directory. Raises ConfigurationError, OSError."""
    there, place = _look(target)
    if there is None:
        return place
    if not stat.S_ISDIR(there.st_mode) or any(place.iterdir()):
        raise ConfigurationError(f"{target} is there already, and is no empty directory")
    _check_movable(target, place)
    if place == Path.cwd().resolve():
        # Whoever stands in it would be left in the old one, which is gone.
        raise ConfigurationError(
            f"{target} is the current directory, which cannot be replaced: name one in it"
        )
    return place


def place_of_file(target: Path) -> Path:
    """Where links lead to: nothing, or a regular file. Raises ConfigurationError, OSError."""
    there, place = _look(target)
    if there is None:
        return place
    if stat.S_ISDIR(there.st_mode):
        raise ConfigurationError(f"{target} is a directory; name the file that is to be made")
    if not stat.S_ISREG(there.st_mode):
        raise ConfigurationError(
            f"{target} is no regular file, and would be replaced by one: name a file"
        )
    _check_movable(target, place)
    return place


def _look(target: Path) -> tuple[os.stat_result | None, Path]:
    place = Path(os.path.realpath(target))
    try:
        # Of the target: /dev/stdout leads to a pipe, whose real path names nothing.
        return target.stat(), place
    except FileNotFoundError:
        return None, place
    except NotADirectoryError:
        raise ConfigurationError(f"{target.parent} is no directory: name another place") from None


def _check_movable(target: Path, place: Path) -> None:
    if _is_mounted(place):
        raise ConfigurationError(
            f"{target} is a mount point, which cannot be replaced: name another place"
        )


def _is_mounted(place: Path) -> bool:
    """Also where it is another part of the same file system, which no device number tells."""
    path = os.fsencode(place)
    for special in b"\\ \t\n":
        path = path.replace(bytes([special]), b"\\%03o" % special)
    return any(line.split(b" ")[4] == path for line in MOUNTS.read_bytes().splitlines())

"""What Nix says of a request: the packages it stands for, and everything they refer to.

Package sets are code that others wrote, so their texts become values of these types by being
parsed: ``parse_store_path`` and its siblings. Nothing else of them reaches a command line.
"""

import re
from dataclasses import dataclass

StorePath = str
"""Absolute and logical, ``/nix/store/<hash>-<name>``, also where the store lies elsewhere."""

# https://nix.dev/manual/nix/2.26/store/store-path
_NAME = r"[0-9A-Za-z+\-._?=]{1,211}"
_STORE_PATH = re.compile(rf"/nix/store/[0-9abcdfghijklmnpqrsvwxyz]{{32}}-{_NAME}", re.ASCII)
_OUTPUT = re.compile(r"[0-9A-Za-z+_?=][0-9A-Za-z+\-._?=]{0,210}", re.ASCII)


def parse_store_path(text: object) -> StorePath | None:
    """None for anything but the path of a store object, such as a path below one."""
    is_path = isinstance(text, str) and _STORE_PATH.fullmatch(text)
    return str(text) if is_path else None


def parse_derivation(text: object) -> StorePath | None:
    path = parse_store_path(text)
    return path if path and path.endswith(".drv") else None


def parse_output_name(text: object) -> str | None:
    """None for what is not the name of an output, or could be read as an option or a list."""
    is_name = isinstance(text, str) and _OUTPUT.fullmatch(text)
    return str(text) if is_name else None


@dataclass(frozen=True, slots=True)
class Package:
    """One requested name after evaluation; nothing is built yet."""

    name: str
    """As the client asked for it."""
    drv_path: StorePath
    outputs: tuple[tuple[str, StorePath], ...]
    """The outputs that go into the image, by name: meta.outputsToInstall without man pages."""

    @property
    def paths(self) -> tuple[StorePath, ...]:
        return tuple(path for _, path in self.outputs)


@dataclass(frozen=True, slots=True)
class PathInfo:
    """One store path with its own size in bytes (of its NAR) and what it refers to."""

    path: StorePath
    size: int
    references: tuple[StorePath, ...]
    """Sorted, without the path itself."""


@dataclass(frozen=True, slots=True)
class Closure:
    """Everything an image needs from the store; sorted by path, complete under references."""

    paths: tuple[PathInfo, ...]

    @property
    def size(self) -> int:
        """Bytes, summed over the NARs."""
        return sum(info.size for info in self.paths)

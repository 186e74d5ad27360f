"""Values parsed from Nix's output: requested packages, and the closure of their store paths.

Package sets are foreign code, so ``parse_store_path`` and its siblings check every text from them.
Unparsed text never reaches a command line.
"""

import re
from dataclasses import dataclass

from nixery.package_config import NO_CONFIG, PackageConfig

StorePath = str
"""Absolute and logical, ``/nix/store/<hash>-<name>``, even if the store is elsewhere."""

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
    """None for anything but an output name, or if it could be read as an option or a list."""
    is_name = isinstance(text, str) and _OUTPUT.fullmatch(text)
    return str(text) if is_name else None


def name_of(path: StorePath) -> str:
    """With the version; also accepts a name without a hash.

    >>> name_of("/nix/store/0rq3w5nlbbj1s2p6pccwzmrc9pxbwqaw-openssl-3.0.11-bin")
    'openssl-3.0.11-bin'
    """
    return path.rpartition("/")[2].partition("-")[2]


@dataclass(frozen=True, slots=True)
class Package:
    """One requested name after evaluation; not built yet."""

    name: str
    """As the client requested it."""
    drv_path: StorePath
    outputs: tuple[tuple[str, StorePath], ...]
    """The outputs that go into the image, by name: meta.outputsToInstall without man pages."""
    main_program: str = ""
    """meta.mainProgram; empty if the package does not name one."""
    config: PackageConfig = NO_CONFIG
    """passthru.nixery."""
    role: str = ""
    """``interpreter`` or ``module``, if they make an environment when requested together."""
    combined: bool = False
    """Whether it is such an environment, instead of the interpreter of that name."""

    @property
    def paths(self) -> tuple[StorePath, ...]:
        return tuple(path for _, path in self.outputs)


@dataclass(frozen=True, slots=True)
class PathInfo:
    """One store path with its own size in bytes (of its NAR) and its references."""

    path: StorePath
    size: int
    references: tuple[StorePath, ...]
    """Sorted, without the path itself."""


@dataclass(frozen=True, slots=True)
class Closure:
    """All store paths that an image needs; sorted by path, complete under references."""

    paths: tuple[PathInfo, ...]

    @property
    def size(self) -> int:
        """Bytes, summed over the NARs."""
        return sum(info.size for info in self.paths)

"""What Nix says of a request: the packages it stands for, and everything they refer to."""

from dataclasses import dataclass

StorePath = str
"""Absolute and logical, ``/nix/store/<hash>-<name>``, also where the store lies elsewhere."""


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

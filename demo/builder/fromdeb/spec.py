"""Specification of a package to build, as its derivation passes it."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

Output = str
"""``out``, ``bin``, ``dev`` or ``man``."""


@dataclass(frozen=True, slots=True)
class Wrap:
    """Variables that programs need because their files are not where Debian puts them.

    Values may refer to an output as ``@out@`` or a dependency as ``@NAME@``, and contain globs.
    """

    programs: tuple[str, ...] = ()
    programs_from: str = ""
    """A glob of a directory whose programs are linked into ``bin``."""
    replace: dict[str, str] = field(default_factory=dict)
    """Paths compiled into programs, and their replacements, of the same length."""
    default: dict[str, str] = field(default_factory=dict)
    prefix: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spec:
    node: str
    debs: tuple[tuple[Path, Output], ...]
    outputs: dict[Output, Path]
    """Store paths of the outputs, not yet there."""
    deps: dict[str, Path]
    """Store paths of the dependencies by name: ``glibc.out``."""
    depends: dict[Output, tuple[str, ...]]
    """Dependencies that each output refers to, even if none of its files contains their path."""
    links: tuple[tuple[str, str], ...]
    """Links of Debian's alternatives, as pairs of path and target."""
    wrap: Wrap
    boot: Path

    @property
    def main(self) -> Path:
        """The output with libraries and data."""
        return self.outputs["out"]

    def dep(self, node: str) -> Path | None:
        """``out`` or else ``bin`` of a dependency; None if the package does not depend on it."""
        for name in (f"{node}.out", f"{node}.bin"):
            if name in self.deps:
                return self.deps[name]
        return None

    @property
    def places(self) -> list[Path]:
        """Outputs and dependencies in the order in which files are searched, this package first."""
        own = [path for output, path in self.outputs.items() if output != "man"]
        return own + list(self.deps.values())


def from_environment() -> Spec:
    """Reads the variables that default.nix sets: lists as words, the rest as JSON in a file."""
    env = os.environ
    given = json.loads(Path(env["specPath"]).read_text())
    debs = [Path(path) for path in env["debs"].split()]
    names = env["depNames"].split()
    return Spec(
        node=given["node"],
        debs=tuple(zip(debs, given["debOutputs"], strict=True)),
        outputs={name: Path(env[name]) for name in env["outputs"].split()},
        deps=dict(zip(names, map(Path, env["depPaths"].split()), strict=True)),
        depends={output: tuple(names) for output, names in given["depends"].items()},
        links=tuple((link, target) for link, target in given["links"]),
        wrap=Wrap(
            programs=tuple(given["wrap"].get("programs", ())),
            programs_from=given["wrap"].get("programs_from", ""),
            replace=given["wrap"].get("replace", {}),
            default=given["wrap"].get("default", {}),
            prefix=given["wrap"].get("prefix", {}),
        ),
        boot=Path(env["boot"]),
    )

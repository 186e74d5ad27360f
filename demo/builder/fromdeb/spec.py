"""What a derivation is told about the package it makes."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

Output = str
"""``out``, ``bin``, ``dev`` or ``man``."""


@dataclass(frozen=True, slots=True)
class Wrap:
    """Variables that programs need because their files lie elsewhere than Debian puts them.

    Values may name an output as ``@out@`` or a dependency as ``@NAME@``, and be patterns of names.
    """

    programs: tuple[str, ...] = ()
    programs_from: str = ""
    """A directory of programs, as a pattern, that ``bin`` is to hold as well."""
    replace: dict[str, str] = field(default_factory=dict)
    """Paths compiled into programs, and others of the same length, below an image's root."""
    default: dict[str, str] = field(default_factory=dict)
    prefix: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spec:
    node: str
    debs: tuple[tuple[Path, Output], ...]
    outputs: dict[Output, Path]
    """Where the outputs are to be made."""
    deps: dict[str, Path]
    """Store paths of the dependencies by name: ``glibc.out``."""
    depends: dict[Output, tuple[str, ...]]
    """Which of them an output refers to even where no file names them."""
    links: tuple[tuple[str, str], ...]
    """Links of Debian's alternatives: path, target."""
    wrap: Wrap
    boot: Path

    @property
    def main(self) -> Path:
        """The output for libraries and data."""
        return self.outputs["out"]

    def dep(self, node: str) -> Path | None:
        """A dependency's output, that for libraries first."""
        for name in (f"{node}.out", f"{node}.bin"):
            if name in self.deps:
                return self.deps[name]
        return None

    @property
    def places(self) -> list[Path]:
        """Where files may be found: this package first."""
        own = [path for output, path in self.outputs.items() if output != "man"]
        return own + list(self.deps.values())


def from_environment() -> Spec:
    """Reads what default.nix passes: lists as words, the rest as JSON in a file."""
    env = os.environ
    told = json.loads(Path(env["specPath"]).read_text())
    debs = [Path(path) for path in env["debs"].split()]
    names = env["depNames"].split()
    return Spec(
        node=told["node"],
        debs=tuple(zip(debs, told["debOutputs"], strict=True)),
        outputs={name: Path(env[name]) for name in env["outputs"].split()},
        deps=dict(zip(names, map(Path, env["depPaths"].split()), strict=True)),
        depends={output: tuple(names) for output, names in told["depends"].items()},
        links=tuple((link, target) for link, target in told["links"]),
        wrap=Wrap(
            programs=tuple(told["wrap"].get("programs", ())),
            programs_from=told["wrap"].get("programs_from", ""),
            replace=told["wrap"].get("replace", {}),
            default=told["wrap"].get("default", {}),
            prefix=told["wrap"].get("prefix", {}),
        ),
        boot=Path(env["boot"]),
    )

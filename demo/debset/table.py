"""The table of packages: the attributes, and corrections of Debian's packages."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Attribute:
    """One name of the set."""

    name: str
    deb: str
    small: bool
    """Whether it is in the default selection."""
    smoke: tuple[str, ...]
    """A command that succeeds where only the package and its closure exist."""
    user: str | None
    """The user that runs it, where root may not."""
    together: tuple[str, ...]
    """Other names that the command needs: an interpreter for a module."""
    program: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Debian packages that become one store path, or one path per output."""

    node: str
    patterns: tuple[str, ...]
    outputs: Mapping[str, tuple[str, ...]]
    """Patterns of the packages that go to another output than ``out``."""
    extra: tuple[str, ...]
    """Packages that nothing depends on; their own dependencies are not followed."""

    def holds(self, deb: str) -> bool:
        return any(fnmatchcase(deb, pattern) for pattern in self.patterns)

    def output(self, deb: str) -> str:
        for output, patterns in self.outputs.items():
            if any(fnmatchcase(deb, pattern) for pattern in patterns):
                return output
        return "out"


@dataclass(frozen=True, slots=True)
class Table:
    attributes: tuple[Attribute, ...]
    groups: Mapping[str, Group]
    left_out: frozenset[str]
    """Ignored as dependencies: packages that configure a running Debian."""
    names: Mapping[str, str]
    """nixpkgs' name of a package where it differs from Debian's."""
    links: Mapping[str, tuple[tuple[str, str], ...]]
    """Links to add to a Debian package: path, target."""
    wrap: Mapping[str, Mapping[str, Any]]
    boot: tuple[str, ...]
    """Packages that run the builds, as patterns; requested from apt together with
    ``boot_roots``."""
    boot_roots: tuple[str, ...]

    def select(self, *, whole: bool) -> tuple[Attribute, ...]:
        return tuple(a for a in self.attributes if whole or a.small)

    def node(self, deb: str) -> str:
        """The store path that a package goes into."""
        return next((g.node for g in self.groups.values() if g.holds(deb)), deb)

    def output(self, deb: str) -> str:
        group = self.groups.get(self.node(deb))
        return group.output(deb) if group else "out"

    def additions(self, debs: Iterable[str]) -> list[str]:
        """Packages to add where their group is in use."""
        nodes = {self.node(deb) for deb in debs}
        return sorted(d for g in self.groups.values() if g.node in nodes for d in g.extra)

    def is_boot(self, deb: str) -> bool:
        return any(fnmatchcase(deb, pattern) for pattern in self.boot)


def read(path: Path) -> Table:
    told = json.loads(path.read_text())
    return Table(
        attributes=tuple(
            Attribute(
                name=name,
                deb=a["deb"],
                small=a.get("small", False),
                smoke=tuple(a.get("smoke", ())),
                user=a.get("user"),
                together=tuple(a.get("with", ())),
                program=a.get("program"),
            )
            for name, a in told["packages"].items()
        ),
        groups={
            node: Group(
                node=node,
                patterns=tuple(g["debs"]),
                outputs={o: tuple(p) for o, p in g.get("outputs", {}).items()},
                extra=tuple(g.get("extra", ())),
            )
            for node, g in told["groups"].items()
        },
        left_out=frozenset(told["left_out"]),
        names=told["names"],
        links={
            deb: tuple((path, target) for path, target in links)
            for deb, links in told["links"].items()
        },
        wrap=told["wrap"],
        boot=tuple(told["boot"]),
        boot_roots=tuple(told["boot_roots"]),
    )

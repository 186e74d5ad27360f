"""The package graph of a whole distribution: Debian's index, as stored by apt on this machine.

A demo set is too small to distinguish layering strategies; the index names 60,000 packages with
their sizes and dependencies. Each package becomes one store path. Packages with circular
dependencies become one path together, because references between store paths have no cycles.
"""

import hashlib
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from nixery.closure import Closure, PathInfo, StorePath

FIELDS = frozenset({"Package", "Version", "Installed-Size", "Depends", "Provides", "Section"})
PROGRAMS = (
    "admin comm database devel editors graphics httpd interpreters mail math net science shells"
    " sound tex text utils vcs video web"
)
"""Sections of packages that people install by name."""
KIB = 1024


@dataclass(frozen=True, slots=True)
class Package:
    """One stanza of the index."""

    name: str
    version: str
    """As in the name of a store path: without the epoch and Debian's revision."""
    size: int
    """Bytes."""
    needs: tuple[tuple[str, ...], ...]
    """For each dependency the names that satisfy it, the preferred one first."""
    provides: tuple[str, ...]
    section: str


@dataclass(frozen=True, slots=True)
class Node:
    """A future store path."""

    name: str
    version: str
    size: int
    """Bytes."""
    references: tuple[int, ...]
    """Positions of nodes, all smaller than the node's own."""
    is_program: bool
    """Whether somebody might request it by name, instead of getting it as a dependency."""


@dataclass(frozen=True)
class Distribution:
    nodes: tuple[Node, ...]
    position: Mapping[str, int]
    """The node of each package; packages of one cycle share a node."""
    referrers: tuple[tuple[int, ...], ...]
    """For each node, the positions of the nodes that refer to it."""

    def reach(self, start: Iterable[int]) -> frozenset[int]:
        """The start and everything it refers to."""
        return _reach(start, lambda n: self.nodes[n].references)

    def reached_from(self, start: Iterable[int]) -> frozenset[int]:
        """The start and everything that refers to it."""
        return _reach(start, lambda n: self.referrers[n])


def change(distribution: Distribution, share: float, random: Random) -> dict[int, str]:
    """Marks each node that changes if the contents of some packages change.

    They and their dependents.
    """
    nodes = distribution.nodes
    changed = random.sample(range(len(nodes)), round(len(nodes) * share))
    mark = f"{random.getrandbits(64):x}"
    marks = dict.fromkeys(distribution.reached_from(changed), mark)
    return marks | dict.fromkeys(changed, mark + "!")


class Revision:
    """Some nodes of a distribution as store paths.

    A marked node has another hash than without the mark, and with ``!`` a new version as well.
    """

    def __init__(
        self, distribution: Distribution, positions: Iterable[int], marks: Mapping[int, str]
    ) -> None:
        """``positions`` include what they refer to."""
        self._distribution = distribution
        positions = sorted(positions)
        path = {n: _path(distribution.nodes[n], marks.get(n, "")) for n in positions}
        self._infos = {
            n: PathInfo(path[n], node.size, tuple(sorted(path[to] for to in node.references)))
            for n in positions
            for node in (distribution.nodes[n],)
        }

    def path(self, position: int) -> StorePath:
        return self._infos[position].path

    def closure(self, positions: Iterable[int]) -> Closure:
        """The closure of these nodes."""
        found = [self._infos[n] for n in self._distribution.reach(positions)]
        return Closure(tuple(sorted(found, key=lambda info: info.path)))


def _path(node: Node, mark: str) -> StorePath:
    hash_ = hashlib.sha256(f"{node.name} {mark}".encode()).hexdigest()[:32]
    # In nixpkgs, names have no dash before a digit: gcc-12 would be read as gcc, version 12.
    name = re.sub(r"-(?=\d)", "", node.name)
    return f"/nix/store/{hash_}-{name}-{node.version}{'.1' * mark.endswith('!')}"


def read() -> Distribution:
    """Reads ``apt-cache dumpavail``; about 10 s."""
    index = subprocess.run(["apt-cache", "dumpavail"], check=True, stdout=subprocess.PIPE).stdout
    return condense(parse(index.decode()))


def parse(index: str) -> Iterator[Package]:
    for stanza in index.split("\n\n"):
        fields = {}
        for line in stanza.split("\n"):
            key, _, value = line.partition(": ")
            if key in FIELDS:
                fields[key] = value
        if "Package" in fields:
            upstream = fields["Version"].rpartition(":")[2]
            yield Package(
                fields["Package"],
                (upstream.rpartition("-")[0] or upstream).replace("~", "."),
                int(fields.get("Installed-Size", "0")) * KIB,
                tuple(
                    tuple(_bare(name) for name in need.split("|"))
                    for need in fields.get("Depends", "").split(",")
                    if need.strip()
                ),
                tuple(map(_bare, filter(str.strip, fields.get("Provides", "").split(",")))),
                fields.get("Section", "").rpartition("/")[2],
            )


def _bare(name: str) -> str:
    """Without version and architecture."""
    return re.split(r"[ (:]", name.strip(), maxsplit=1)[0]


def condense(packages: Iterable[Package]) -> Distribution:
    """Dependencies become references; cycles become one node with the size of all."""
    by_name: dict[str, Package] = {}
    for package in packages:
        by_name.setdefault(package.name, package)
    known = list(by_name.values())
    number = {package.name: n for n, package in enumerate(known)}
    provided: dict[str, int] = {}
    for package in sorted(known, key=lambda package: package.name):
        for virtual in package.provides:
            provided.setdefault(virtual, number[package.name])

    def fulfil(need: Sequence[str]) -> int | None:
        real = (number[name] for name in need if name in number)
        return next(real, next((provided[name] for name in need if name in provided), None))

    edges = [
        sorted({to for need in package.needs if (to := fulfil(need)) is not None})
        for package in known
    ]
    circles = strongly_connected(edges)
    node_of = {n: position for position, circle in enumerate(circles) for n in circle}
    nodes = []
    referrers: dict[int, list[int]] = defaultdict(list)
    for position, circle in enumerate(circles):
        first = min((known[n] for n in circle), key=lambda package: package.name)
        references = sorted({node_of[to] for n in circle for to in edges[n]} - {position})
        for to in references:
            referrers[to].append(position)
        size = sum(known[n].size for n in circle)
        program = first.section in PROGRAMS.split()
        nodes.append(Node(first.name, first.version, size, tuple(references), program))
    return Distribution(
        tuple(nodes),
        {package.name: node_of[n] for n, package in enumerate(known)},
        tuple(tuple(referrers[position]) for position in range(len(nodes))),
    )


def strongly_connected(edges: Sequence[Sequence[int]]) -> list[list[int]]:
    """Cycles and single nodes, referenced nodes first."""
    import networkx as nx  # noqa: PLC0415 - the benchmark's --help need not wait for it

    graph = nx.DiGraph([(n, to) for n, found in enumerate(edges) for to in found])
    graph.add_nodes_from(range(len(edges)))
    return [list(circle) for circle in nx.strongly_connected_components(graph)]


def _reach(start: Iterable[int], following: Callable[[int], Iterable[int]]) -> frozenset[int]:
    seen = set(start)
    ways = list(seen)
    while ways:
        for to in following(ways.pop()):
            if to not in seen:
                seen.add(to)
                ways.append(to)
    return frozenset(seen)

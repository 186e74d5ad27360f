"""Dependencies between packages, from Debian's records, ELF files and scripts; without cycles.

    kind      source                                       inside a cycle
    elf       a library that a file links to               stays: add a group
    wrap      a path in packages.json                      stays
    script    the interpreter of a script                  removed first
    depends   Debian's Depends and Pre-Depends             removed next

Debian has cycles of the last two kinds (a package and its data, a library and its daemon); Nix
allows no cycles between store paths.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from debset.apt import Deb
from debset.scan import Contents
from debset.table import Table

Kind = Literal["elf", "wrap", "script", "depends"]
Graph = dict[str, dict[str, Kind]]
"""Node → the nodes it depends on, with the strongest reason."""

_RANK: Mapping[Kind, int] = {"elf": 3, "wrap": 2, "script": 1, "depends": 0}
_INTERPRETERS = {"sh": "dash", "bash": "bash", "dash": "dash", "perl": "perl", "python3": "python3"}


class Unresolvable(ValueError):
    """Files link to each other in a cycle; packages.json must put them into one group."""


@dataclass(frozen=True, slots=True)
class Edge:
    """``source`` and ``target`` are Debian packages."""

    source: str
    target: str
    kind: Kind


def first_names(depends: str) -> list[list[str]]:
    """The clauses of a Depends field, each with its alternatives, without versions.

    >>> first_names("libc6 (>= 2.34), perl:any | mawk")
    [['libc6'], ['perl', 'mawk']]
    """
    return [
        [re.split(r"[ (:\[]", name.strip())[0] for name in clause.split("|")]
        for clause in depends.split(",")
        if clause.strip()
    ]


def find_edges(debs: Mapping[str, Deb], contents: Mapping[str, Contents], t: Table) -> list[Edge]:
    """``debs`` and ``contents`` by package name; extras of groups have no edges of their own."""
    names = sorted(debs.keys() - {deb for group in t.groups.values() for deb in group.extra})
    virtual: dict[str, list[str]] = {}
    libraries: dict[str, list[str]] = {}
    for name in names:
        for clause in first_names(debs[name].provides):
            virtual.setdefault(clause[0], []).append(name)
        for library in contents[name].provides:
            libraries.setdefault(library, []).append(name)

    edges = []
    for name in names:
        declared = []
        for clause in first_names(debs[name].depends):
            known = [c for a in clause for c in ([a] if a in debs else virtual.get(a, [])[:1])]
            declared += known[:1]
        edges += [Edge(name, to, "depends") for to in declared if to not in t.left_out]
        for library in contents[name].needs:
            providers = libraries.get(library, [])
            if providers and name not in providers:
                best = next((p for p in providers if p in declared), providers[0])
                edges.append(Edge(name, best, "elf"))
        programs = {_INTERPRETERS.get(p, p) for p in contents[name].interpreters}
        known_programs = programs & set(_INTERPRETERS.values()) & debs.keys()
        edges += [Edge(name, to, "script") for to in sorted(known_programs)]
        edges += [Edge(name, to, "wrap") for to in wrap_needs(t.wrap.get(name, {}))]
    return edges


def wrap_needs(wrap: Mapping[str, Any]) -> list[str]:
    """Packages that a wrapper names, and the shell that runs it."""
    values = [*wrap.get("default", {}).values(), *wrap.get("prefix", {}).values()]
    named = {name for value in values for name in re.findall(r"@([^@]+)@", value)} - {"bin", "out"}
    return sorted(named | ({"dash"} if wrap.get("programs") else set()))


def to_graph(debs: Iterable[str], edges: Iterable[Edge], table: Table) -> Graph:
    """The edges between store paths; of several kinds the strongest remains."""
    nodes = {deb: table.node(deb) for deb in debs}
    graph: Graph = {node: {} for node in nodes.values()}
    for edge in edges:
        source, target = nodes[edge.source], nodes[edge.target]
        if source == target:
            continue
        kind = graph[source].get(target)
        if kind is None or _RANK[edge.kind] > _RANK[kind]:
            graph[source][target] = edge.kind
    return graph


def without_cycles(graph: Graph) -> Graph:
    """Raises Unresolvable."""
    graph = {node: dict(targets) for node, targets in graph.items()}
    weak: tuple[Kind, ...] = ("script", "depends")
    for kind in weak:
        for component in components(graph):
            for node in component:
                graph[node] = {
                    target: why
                    for target, why in graph[node].items()
                    if target not in component or why != kind
                }
    circles = [sorted(c) for c in components(graph) if len(c) > 1]
    if circles:
        raise Unresolvable(f"these link to each other: {circles}")
    return graph


def components(graph: Mapping[str, Iterable[str]]) -> list[set[str]]:
    """Strongly connected components (Tarjan's algorithm, with a stack of its own).

    >>> sorted(map(sorted, components({"a": ["b"], "b": ["a"], "c": ["a"]})))
    [['a', 'b'], ['c']]
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found = []
    for start in graph:
        if start in index:
            continue
        work = [(start, iter(graph[start]))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(graph[target])))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = set()
                    while node not in component:
                        component.add(stack.pop())
                    on_stack -= component
                    found.append(component)
    return found


def reachable(graph: Mapping[str, Iterable[str]], roots: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    todo = list(roots)
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo += graph[node]
    return seen

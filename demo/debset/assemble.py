"""Assembles ``set.json``, the input of default.nix."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from debset.apt import Deb
from debset.graph import Edge, find_edges, reachable, to_graph, without_cycles
from debset.scan import Contents
from debset.table import Attribute, Table

SYSTEM, TRIPLET = "x86_64-linux", "x86_64-linux-gnu"

# nixpkgs' usual order: programs, development files, libraries, documentation.
_ORDER = ("bin", "dev", "out", "man")


@dataclass(frozen=True, slots=True)
class Found:
    """Everything known about the Debian packages, by name."""

    table: Table
    debs: Mapping[str, Deb]
    contents: Mapping[str, Contents]


def assemble(found: Found, attributes: tuple[Attribute, ...]) -> dict[str, Any]:
    """Raises Unresolvable."""
    table, debs = found.table, found.debs
    edges = find_edges(debs, found.contents, table)
    graph = without_cycles(to_graph(debs, edges, table))
    wanted = {a.name: table.node(a.deb) for a in attributes}
    members: dict[str, list[str]] = {}
    for name in sorted(debs):
        members.setdefault(table.node(name), []).append(name)
    going_out: dict[str, list[Edge]] = {}
    for edge in edges:
        going_out.setdefault(edge.source, []).append(edge)
    programs = {table.node(a.deb): a.program for a in reversed(attributes) if a.program}
    nodes = {}
    for node in sorted(reachable(graph, wanted.values())):
        own = [edge for name in members[node] for edge in going_out.get(name, ())]
        kept = [edge for edge in own if table.node(edge.target) in graph[node]]
        nodes[node] = _node(found, node, members[node], kept) | {"mainProgram": programs.get(node)}
    boot = sorted(name for name in debs if table.is_boot(name))
    python = next(name for name in boot if re.fullmatch(r"python3\.\d+-minimal", name))
    return {
        "system": SYSTEM,
        "triplet": TRIPLET,
        "attrs": {name: node for name, node in wanted.items() if "." not in name},
        "nested": {name: node for name, node in wanted.items() if "." in name},
        "nodes": nodes,
        "boot": {
            "debs": [_file(debs[name]) for name in boot],
            "python": python.removesuffix("-minimal"),
        },
    }


def _node(found: Found, node: str, members: list[str], edges: list[Edge]) -> dict[str, Any]:
    """``edges`` are those of the members that lead to other store paths."""
    table, debs, contents = found.table, found.debs, found.contents
    main = debs[node] if node in debs else debs[members[0]]
    # A group may be named by a package that only points to the one with the files and the version.
    largest = max((debs[name] for name in members), key=lambda deb: deb.size)
    used = {table.output(name) for name in members} | {"out"}
    if any(contents[name].has_man for name in members):
        used.add("man")
    deps: set[str] = set()
    depends: dict[str, set[str]] = {}
    for edge in edges:
        linked = edge.kind in ("elf", "wrap")
        target = f"{table.node(edge.target)}.{'out' if linked else table.output(edge.target)}"
        deps.add(target)
        if edge.kind == "depends":
            depends.setdefault(table.output(edge.source), set()).add(target)
    return {
        "pname": store_name(table.names.get(node, node)),
        "version": upstream_version(largest.version),
        "description": main.description[:120],
        "homepage": main.homepage,
        "outputs": [output for output in _ORDER if output in used],
        "debs": [_file(debs[name]) | {"output": table.output(name)} for name in members],
        "deps": sorted(deps),
        "depends": {output: sorted(names) for output, names in sorted(depends.items())},
        "links": [
            list(link)
            for name in members
            for link in (*contents[name].links, *table.links.get(name, ()))
        ],
        "wrap": table.wrap.get(node, {}),
    }


def _file(deb: Deb) -> dict[str, str]:
    return {"file": deb.file, "name": store_name(deb.file), "sha256": deb.sha256}


def store_name(text: str) -> str:
    """A name that Nix allows for a store path.

    >>> store_name("git_1%3a2.39.5_amd64.deb")
    'git_1-3a2.39.5_amd64.deb'
    """
    return re.sub(r"[^0-9A-Za-z+._?=-]", "-", text)


def upstream_version(version: str) -> str:
    """A version as Nix shows it.

    Without Debian's epoch; the revision stays, because builds differ by it.

    >>> upstream_version("1:2.39.5-0+deb12u3")
    '2.39.5-0+deb12u3'
    """
    return store_name(version.split(":", 1)[-1])

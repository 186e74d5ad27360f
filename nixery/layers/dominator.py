r"""The classic: a path that others reach only through one package goes into that package's layer.

Input is the graph of references in the image. Here bash stands on its own, curl and git are asked
for, and everything refers to glibc:

    curl     git          bash      curl 2, openssl 5, git 30, pcre2 1, zlib 1, bash 3, glibc 40
     │  \    /  \           │
     │   zlib   pcre2       │       (MiB; all refer to glibc)
    openssl                 │
      ╰──────── glibc ──────╯

1. A root above the graph refers to what nothing else refers to, and to every path that is popular
   or big, so that those are reached past everybody.

            root
         /  │  │  \
      curl git bash glibc

2. A path's *dominator* is the nearest one that every way from the root leads through. curl
   dominates openssl, git dominates pcre2; zlib has two ways and so only the root above it.

                     root
         /       /     │     \      \
      curl     git    zlib   bash   glibc
       │        │
    openssl   pcre2

3. The trees below the root are layers: git + pcre2, curl + openssl, and zlib, bash and glibc.

4. When those are more than the budget, the ones with the lowest rating, size * popularity, share
   the last layer. With a budget of 3, and glibc 9 times as popular as the others:

    glibc 40 * 9 = 360  |  git + pcre2 31  |  curl + openssl 7, bash 3, zlib 1 together

The example is executed by tests/layers/test_dominator.py. Source of the method: Graham Christensen,
https://grahamc.com/blog/nix-and-layered-docker-images/, and the Go server's layers.go.
"""

from collections import defaultdict
from collections.abc import Mapping

from nixery.closure import Closure, PathInfo, StorePath
from nixery.layers.plan import LayerPlan, fit
from nixery.layers.tables import Tables

POPULAR = 1000
"""Packages of a set that refer to a path which then stands on its own."""
BIG = 10 << 20
"""Bytes; a path of this size stands on its own."""


def group(closure: Closure, tables: Tables, budget: int) -> LayerPlan:
    """Trees of the dominator tree, the highest rating first, ties by path."""
    popular = {info.path: tables.popularity.of(info.path) for info in closure.paths}
    top = tops(closure, popular)
    trees: dict[StorePath, list[PathInfo]] = defaultdict(list)
    for info in closure.paths:
        trees[top[info.path]].append(info)

    def order(tree: StorePath) -> tuple[int, int, StorePath]:
        infos = trees[tree]
        bytes_ = sum(info.size for info in infos)
        most = max(1, *(popular[info.path] for info in infos))
        return -bytes_ * most, -bytes_, tree

    layers, rest = fit([trees[tree] for tree in sorted(trees, key=order)], budget)
    return LayerPlan((*layers, *rest))


def tops(closure: Closure, popular: Mapping[StorePath, int]) -> dict[StorePath, StorePath]:
    """For every path the one directly below the root that dominates it, mostly itself.

    ``popular``: how many packages refer to each path.
    """
    import networkx as nx  # noqa: PLC0415 - only this strategy needs it

    infos = sorted(closure.paths, key=lambda info: info.path)
    number = {info.path: n for n, info in enumerate(infos, start=1)}
    edges = [
        (number[info.path], number[reference]) for info in infos for reference in info.references
    ]
    referred_to = {reference for _, reference in edges}
    root = 0
    edges += [
        (root, n)
        for n, info in enumerate(infos, start=1)
        if n not in referred_to or info.size >= BIG or popular[info.path] >= POPULAR
    ]
    graph = nx.DiGraph(edges)
    graph.add_nodes_from(range(len(infos) + 1))
    reached = nx.descendants(graph, root)
    for n in range(1, len(infos) + 1):
        if n not in reached:  # in a circle that nothing else refers to, or below one
            graph.add_edge(root, n)
            reached |= {n, *nx.descendants(graph, n)}
    dominator = nx.immediate_dominators(graph, root)

    top: dict[int, int] = {root: root}
    for n in range(1, len(infos) + 1):
        way = [n]
        while way[-1] not in top and (above := dominator[way[-1]]) != root:
            way.append(above)
        top.update(dict.fromkeys(way, top.get(way[-1], way[-1])))
    return {info.path: infos[top[n] - 1].path for n, info in enumerate(infos, start=1)}

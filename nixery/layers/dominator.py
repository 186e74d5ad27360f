r"""Strategy "dominator": a path that only one package needs joins that package's layer.

The input is the graph of references in the image. Here bash, curl and git are requested, and
everything refers to glibc:

    curl     git          bash      curl 2, openssl 5, git 30, pcre2 1, zlib 1, bash 3, glibc 40
     │  \    /  \           │
     │   zlib   pcre2       │       (MiB; all refer to glibc)
    openssl                 │
      ╰──────── glibc ──────╯

1. A root above the graph refers to every path without referrers, and to every path that is popular
   or big, so that those do not depend on their referrers.

            root
         /  │  │  \
      curl git bash glibc

2. The *dominator* of a path is the nearest path that lies on all ways to it from the root. curl
   dominates openssl, and git dominates pcre2; zlib has two ways, so only the root dominates it.

                     root
         /       /     │     \      \
      curl     git    zlib   bash   glibc
       │        │
    openssl   pcre2

3. The trees below the root are layers: git + pcre2, curl + openssl, and zlib, bash and glibc.

4. If there are more than the budget, those with the lowest rating, size * popularity, share the
   last layer. With a budget of 3, and glibc 9 times as popular as the others:

    glibc 40 * 9 = 360  |  git + pcre2 31  |  curl + openssl 7, bash 3, zlib 1 together

tests/layers/test_dominator.py executes the example. Source of the method: Graham Christensen,
https://grahamc.com/blog/nix-and-layered-docker-images/, and the Go server's layers.go.
"""

from collections import defaultdict
from collections.abc import Mapping

from nixery.closure import Closure, PathInfo, StorePath
from nixery.layers.plan import LayerPlan, fit
from nixery.layers.tables import Tables

POPULAR = 1000
"""Number of referring packages from which on a path is popular."""
BIG = 10 << 20
"""Bytes from which on a path is big."""


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
    """For every path, the path directly below the root that dominates it, possibly itself.

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
        if n not in reached:  # in or below a cycle without other referrers
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

"""Grouping of paths that the table of units does not know.

    the table knows git, not nmap             git ── perl
                                              nmap ── liblinear ── blas
                                                └──── openssl ──── perl

A table that knows most of an image knows what is common: perl and openssl here. The other paths
come with the new package and rarely with another: liblinear and blas are in images with nmap. So
small paths that only one top needs are one group, where a top is an unknown path without unknown
referrers. A path that two tops need is a group of its own, and so is a large one: if another
package needs it later, only that path is downloaded again.

If a table knows little, this does not hold: in an image of one package, that package alone needs
glibc.
"""

from collections.abc import Mapping, Sequence

from nixery.closure import Closure, PathInfo, StorePath

SMALL = 640 << 20
"""Bytes, divided by the budget: the size up to which paths are grouped. The fewer layers, the more
each is worth. benchmarks/layering-notebook.md has measurements."""


def group_unknown(
    closure: Closure, unknown: Sequence[PathInfo], budget: int
) -> list[list[PathInfo]]:
    """The unknown paths of an image, each in one group; alone unless most paths are known.

    >>> paths = [PathInfo("blas", 5, ()), PathInfo("nmap", 9, ("blas", "perl")),
    ...          PathInfo("openssl", 6, ("perl",)), PathInfo("perl", 1, ())]
    >>> groups = group_unknown(Closure(tuple(paths)), paths[:2], budget=94)
    >>> [[info.path for info in group] for group in groups]
    [['blas', 'nmap']]
    """
    if 2 * len(unknown) > len(closure.paths):
        return [[info] for info in unknown]
    top_of = _tops(closure)
    groups: dict[tuple[StorePath, bool], list[PathInfo]] = {}
    for info in unknown:
        top = top_of.get(info.path) if info.size * budget <= SMALL else None
        # A large top is alone; the small paths below it still form a group.
        key = (info.path, False) if top is None else (top, True)
        groups.setdefault(key, []).append(info)
    return list(groups.values())


def _tops(closure: Closure) -> Mapping[StorePath, StorePath | None]:
    """For every path the top that needs it, or None if several do.

    Follows no reference more than twice. Cycles without a top have none; stores have no cycles, but
    folded names may (``demand.py``).
    """
    references = {info.path: info.references for info in closure.paths}
    referred_to = {path for paths in references.values() for path in paths}
    found: dict[StorePath, StorePath | None] = {}
    for top in references.keys() - referred_to:
        ahead = [top]
        while ahead:
            path = ahead.pop()
            if path not in found:
                found[path] = top
            elif found[path] in {top, None}:
                continue
            else:
                found[path] = None
            ahead.extend(references[path])
    return found

"""What to do with paths that no table knows.

    nmap is new to the table, git is not      git ── perl
                                              nmap ── liblinear ── blas
                                                └──── openssl ──── perl

A table that knows most of an image knows what is common: perl and openssl here. What is left comes
with the package that is new, and hardly ever with another: liblinear and blas are in the images
that have nmap. So small paths that one top of the image brings are one group; a top is what nothing
else there refers to. A path that two tops bring is a group of its own, and so is a large one:
should another package bring it one day, then it is pulled once more, and not all that is small
with it.

Where a table knows little, that reasoning fails: in an image of one package, it alone brings glibc.
"""

from collections.abc import Mapping, Sequence

from nixery.closure import Closure, PathInfo, StorePath

SMALL = 640 << 20
"""Bytes, divided by the budget: paths up to that size go together. The fewer layers there are,
the more a layer is worth. docs/layering.md has what less and more of it give."""


def group_unknown(
    closure: Closure, unknown: Sequence[PathInfo], budget: int
) -> list[list[PathInfo]]:
    """The unknown paths of an image, each in one group; single ones unless most are known.

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
        # A top that is large is alone, and what is small below it is a group all the same.
        key = (info.path, False) if top is None else (top, True)
        groups.setdefault(key, []).append(info)
    return list(groups.values())


def _tops(closure: Closure) -> Mapping[StorePath, StorePath | None]:
    """For every path the top that brings it, None if several do.

    No reference is followed more than twice. Circles that no top leads to have none; stores do not
    have any, folded names may (``demand.py``).
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

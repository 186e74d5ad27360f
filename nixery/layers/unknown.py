"""What to do with paths that no table knows.

    nmap is new to the table, git is not      git ── perl
                                              nmap ── liblinear ── blas
                                                └──── openssl ──── perl

What is common, the table knows: perl and openssl here. What is left comes with the package that
is new and with nothing else, as liblinear and blas do: in every image that has nmap, and in no
other. So small paths that one package of the image brings are one group. A path that two bring is
a group of its own, and so is a large one: should another package bring it too one day, then it is
pulled once more, and not all that is small with it.

Without any table that reasoning fails. In an image of one package, it alone brings glibc.
"""

from collections.abc import Mapping, Sequence

from nixery.closure import Closure, PathInfo, StorePath

SMALL = 640 << 20
"""Bytes, divided by the budget: paths up to that size go together. The fewer layers there are,
the more a layer is worth. Half and 1.5 times as much is hardly worse (docs/layering.md)."""


def group_unknown(
    closure: Closure, unknown: Sequence[PathInfo], budget: int
) -> list[list[PathInfo]]:
    """The unknown paths of an image of which a table knows others; each in one group.

    >>> paths = [PathInfo("blas", 5, ()), PathInfo("nmap", 9, ("blas", "perl")),
    ...          PathInfo("perl", 1, ())]
    >>> groups = group_unknown(Closure(tuple(paths)), paths[:2], budget=94)
    >>> [[info.path for info in group] for group in groups]
    [['blas', 'nmap']]
    """
    package_of = _packages(closure)
    groups: dict[tuple[StorePath, bool], list[PathInfo]] = {}
    for info in unknown:
        package = package_of[info.path] if info.size * budget <= SMALL else None
        key = (info.path, False) if package is None else (package, True)
        groups.setdefault(key, []).append(info)
    return list(groups.values())


def _packages(closure: Closure) -> Mapping[StorePath, StorePath | None]:
    """For every path the package that brings it, None if several do.

    A package is what nothing in the image refers to. No reference is followed more than twice.
    """
    references = {info.path: info.references for info in closure.paths}
    referred_to = {path for paths in references.values() for path in paths}
    found: dict[StorePath, StorePath | None] = {}
    for package in references.keys() - referred_to:
        ahead = [package]
        while ahead:
            path = ahead.pop()
            if path not in found:
                found[path] = package
            elif found[path] in {package, None}:
                continue
            else:
                found[path] = None
            ahead.extend(references[path])
    return found

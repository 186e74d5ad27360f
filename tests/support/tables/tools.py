"""A package set of a few tools, and the records of images made from it.

asked("git", "curl")        with everything they refer to
"""

from nixery.closure import Closure, PathInfo
from nixery.tables.request_record import RequestRecord
from support.few_tools import TOOLS


def path(name):
    return f"/nix/store/{'0' * 32}-{name}-1.0"


def asked(*names):
    needed, ways = set(), list(names)
    while ways:
        name = ways.pop()
        if name not in needed:
            needed.add(name)
            ways += TOOLS[name][1]
    infos = (
        PathInfo(path(name), TOOLS[name][0], tuple(sorted(map(path, TOOLS[name][1]))))
        for name in sorted(needed)
    )
    return RequestRecord(tuple(map(path, names)), Closure(tuple(infos)))

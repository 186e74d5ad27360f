"""Analysis of a graph of store paths: popularity, units, and a starting list. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from random import Random

from nixery.closure import Closure, PathInfo, StorePath, name_of
from nixery.layers.names import name, names, unversioned
from nixery.layers.tables import Popularity, Units
from nixery.learning.demand import demand
from nixery.learning.learn import BUDGETS, learning
from nixery.tables.request_record import RequestRecord

STARTING_LIST = 300
"""Packages of a random starting list. More take longer and change little."""


def popularity(graph: Closure) -> Popularity:
    """The number of store paths that refer to each name; leaves out names without any."""
    counts = Counter(name(to) for info in graph.paths for to in info.references)
    return Popularity(dict(counts))


def starting_list(graph: Closure, asked_for: Collection[str] = ()) -> list[StorePath]:
    """The paths of these names, in order; without names, random paths that nothing refers to.

    A path that nothing refers to is what somebody installs. Raises LookupError with the missing
    names.
    """
    if asked_for:
        known = find((info.path for info in graph.paths), asked_for)
        if missing := [wanted for wanted, path in known.items() if path is None]:
            raise LookupError(" ".join(missing))
        return [path for path in known.values() if path is not None]
    referred_to = {to for info in graph.paths for to in info.references}
    ends = [info.path for info in graph.paths if info.path not in referred_to]
    # By name, so that the choice stays the same when all hashes change.
    ends.sort(key=lambda path: (name(path), path))
    Random(0).shuffle(ends)  # noqa: S311 - the same graph gives the same list
    return ends[:STARTING_LIST]


def find(paths: Iterable[StorePath], asked_for: Iterable[str]) -> Mapping[str, StorePath | None]:
    """The path of each name; None if there is none.

    A name may include a version, to select one of several paths.
    """
    by_name: dict[str, StorePath] = {}
    paths = sorted(paths, key=lambda path: (name_of(path), path))
    for called in zip(*map(names, paths), strict=True):  # exact names take precedence
        for one, path in zip(called, paths, strict=True):
            by_name.setdefault(one, path)
    return {wanted: by_name.get(wanted, by_name.get(unversioned(wanted))) for wanted in asked_for}


def start(graph: Closure, packages: Iterable[StorePath]) -> RequestRecord:
    """The starting list with its closure, which servers learn from too."""
    infos = {info.path: info for info in graph.paths}
    found: dict[StorePath, PathInfo] = {}
    ways = packages = list(dict.fromkeys(packages))
    while ways:
        new = {path: infos[path] for path in ways if path not in found}
        found |= new
        ways = [to for info in new.values() for to in info.references]
    return RequestRecord(tuple(packages), Closure(tuple(found[path] for path in sorted(found))))


def units(
    graph: Closure, start: Iterable[StorePath], budgets: Sequence[int] = BUDGETS
) -> Iterator[Units]:
    """One table more than there are budgets, each with more unions than the one before."""
    return learning(demand(graph, (), list(start)), budgets)

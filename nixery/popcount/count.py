"""A graph of store paths becomes tables: popularity, units, and the list that units start from."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from random import Random

from nixery.closure import Closure, PathInfo, StorePath
from nixery.layers.names import full_name, name, names, unversioned
from nixery.layers.tables import Popularity, Units
from nixery.learning.demand import demand
from nixery.learning.learn import BUDGETS, learning
from nixery.tables.request_record import RequestRecord

STARTING_LIST = 300
"""Packages, when nobody says which are asked for. More take longer and say little more."""


def popularity(graph: Closure) -> Popularity:
    """How many store paths refer to each name; a name that nothing refers to is left out."""
    counts = Counter(name(to) for info in graph.paths for to in info.references)
    return Popularity(dict(counts))


def starting_list(graph: Closure, asked_for: Collection[str] = ()) -> list[StorePath]:
    """The paths of these names, in their order; without names, ends of the graph at random.

    A path that nothing refers to is what somebody wants for itself. Raises LookupError with the
    names that are not there.
    """
    if asked_for:
        known = find((info.path for info in graph.paths), asked_for)
        if missing := [wanted for wanted, path in known.items() if path is None]:
            raise LookupError(" ".join(missing))
        return [path for path in known.values() if path is not None]
    referred_to = {to for info in graph.paths for to in info.references}
    ends = [info.path for info in graph.paths if info.path not in referred_to]
    # By name: the choice outlives a change of every hash.
    ends.sort(key=lambda path: (name(path), path))
    Random(0).shuffle(ends)  # noqa: S311 - the same graph gives the same list
    return ends[:STARTING_LIST]


def find(paths: Iterable[StorePath], asked_for: Iterable[str]) -> Mapping[str, StorePath | None]:
    """For each name its path; None where there is none.

    A name may have a version, which decides where there are several.
    """
    by_name: dict[str, StorePath] = {}
    paths = sorted(paths, key=lambda path: (full_name(path), path))
    for called in zip(*map(names, paths), strict=True):  # the most exact names of all, then others
        for one, path in zip(called, paths, strict=True):
            by_name.setdefault(one, path)
    return {wanted: by_name.get(wanted, by_name.get(unversioned(wanted))) for wanted in asked_for}


def start(graph: Closure, packages: Iterable[StorePath]) -> RequestRecord:
    """The starting list with everything it refers to: servers learn from it as well."""
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
    """One table more than there are budgets, each knowing more than the one before."""
    return learning(demand(graph, (), list(start)), budgets)

"""Demand: the requested packages and their closures, by name, because hashes change.

references  git → pcre2, curl      sizes  git 30      images  (git, jq), (git,)      start  bash
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain

from nixery.closure import Closure, StorePath
from nixery.layers.names import names


@dataclass(frozen=True, slots=True)
class Demand:
    references: Mapping[str, AbstractSet[str]]
    """For every name."""
    sizes: Mapping[str, int]
    """Bytes of the largest path of that name."""
    images: tuple[tuple[str, ...], ...]
    """The requested packages of each image, the oldest first; repeated as often as requested."""
    start: tuple[str, ...]
    """Starting list: packages that might be requested."""

    def brings(self, *packages: str) -> AbstractSet[str]:
        """The packages' closure, themselves included."""
        return _reach(self.references, packages)


def demand(
    graph: Closure, images: Iterable[Sequence[StorePath]], start: Sequence[StorePath] = ()
) -> Demand:
    """Folds paths into names.

    ``graph`` is the closure of ``images`` and ``start``, and may contain several revisions of a
    package. They have one name, unless two of them occur together in an image or in ``start``. Then
    their names keep what tells them apart.
    """
    images = [tuple(image) for image in images]
    references = {info.path: info.references for info in graph.paths}
    together = [_reach(references, image) for image in dict.fromkeys(images)]
    together.append(_reach(references, start))
    twice = {
        called
        for paths in together
        for called, count in Counter(way for path in paths for way in _ways(path)).items()
        if count > 1
    }
    called = {path: _loosest(path, twice) for path in set(chain(*together))}
    folded: dict[str, set[str]] = {}
    sizes: dict[str, int] = {}
    for info in graph.paths:
        if (known := called.get(info.path)) is not None:
            folded.setdefault(known, set()).update(called[to] for to in info.references)
            sizes[known] = max(info.size, sizes.get(known, 0))
    return Demand(
        folded,
        sizes,
        tuple(tuple(sorted({called[path] for path in image})) for image in images),
        tuple(dict.fromkeys(called[path] for path in start)),
    )


def _ways(path: StorePath) -> list[tuple[int, str]]:
    """Possible names, numbered, the most exact first."""
    return list(enumerate(names(path)))


def _loosest(path: StorePath, twice: AbstractSet[tuple[int, str]]) -> str:
    exact, *loose = _ways(path)
    return next((way for way in reversed(loose) if way not in twice), exact)[1]


def _reach(references: Mapping[str, Iterable[str]], start: Iterable[str]) -> AbstractSet[str]:
    """The closure of the starting names; references may have cycles."""
    seen = set(start)
    ways = list(seen)
    while ways:
        new = set(references[ways.pop()]) - seen
        seen |= new
        ways.extend(new)
    return seen

"""Largest first: what can be done without knowing other images.

Two images share a layer when it holds the same store paths. A big path alone is shared whenever
another image has it, and what the rest of small paths costs twice is small.

    closure   glibc 30, python3 80, zlib 1, bash 2, readline 1     (MiB)
    budget    3

    layers    python3 80 | glibc 30 | bash 2 + readline 1 + zlib 1
"""

from nixery.closure import Closure
from nixery.layers.plan import LayerPlan, fit
from nixery.layers.tables import Tables


def group(closure: Closure, _: Tables, budget: int) -> LayerPlan:
    """The largest paths alone, the others in one layer.

    >>> from nixery.closure import PathInfo
    >>> from nixery.layers.tables import EMPTY
    >>> paths = [PathInfo("/nix/store/a-small", 1, ()), PathInfo("/nix/store/b-big", 9, ()),
    ...          PathInfo("/nix/store/c-tiny", 1, ())]
    >>> [layer.paths for layer in group(Closure(tuple(paths)), EMPTY, budget=2).layers]
    [('/nix/store/b-big',), ('/nix/store/a-small', '/nix/store/c-tiny')]
    """
    # Equal sizes are ordered by path, so that the order of the input does not reach the digest.
    by_size = sorted(closure.paths, key=lambda info: (-info.size, info.path))
    layers, rest = fit([(info,) for info in by_size], budget)
    return LayerPlan((*layers, *rest))

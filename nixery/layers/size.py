"""Strategy "size": the largest paths alone. Needs no tables.

Images share a layer if it contains the same store paths. A large path on its own is shared with
every image that contains it, and the remaining small paths cost little if they are downloaded
twice.

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
    # Equal sizes are ordered by path, so that the input's order does not affect the digest.
    by_size = sorted(closure.paths, key=lambda info: (-info.size, info.path))
    layers, rest = fit([(info,) for info in by_size], budget)
    return LayerPlan((*layers, *rest))

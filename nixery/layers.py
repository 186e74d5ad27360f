"""Which store paths share a layer.

Input is the closure of an image and a budget of layers. Two images share a layer when it holds
the same store paths, so paths that many images have in common want layers of their own. Without
knowledge about other images, a path's own size decides: a big path alone is shared whenever
another image has it, and what the tail of small paths costs twice is small.

    closure   glibc 30, python3 80, zlib 1, bash 2, readline 1     (MiB)
    budget    3

    layers    python3 80 | glibc 30 | bash 2 + readline 1 + zlib 1

Layers come in an order that depends on the paths and not on the image: overlayfs and Docker's
graph driver reuse leading layers. The tail comes after the single paths, because it differs
from image to image.
"""

from dataclasses import dataclass

from nixery.closure import Closure, PathInfo, StorePath


@dataclass(frozen=True, slots=True)
class Layer:
    paths: tuple[StorePath, ...]
    """Sorted, never empty."""
    size: int
    """Bytes, summed over the NARs."""


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """Every path of the closure in exactly one layer, at most ``budget`` layers."""

    layers: tuple[Layer, ...]


def group(closure: Closure, budget: int) -> LayerPlan:
    """The largest paths alone, the rest in one tail; deterministic.

    >>> paths = [PathInfo("/nix/store/a-small", 1, ()), PathInfo("/nix/store/b-big", 9, ()),
    ...          PathInfo("/nix/store/c-tiny", 1, ())]
    >>> [layer.paths for layer in group(Closure(tuple(paths)), budget=2).layers]
    [('/nix/store/b-big',), ('/nix/store/a-small', '/nix/store/c-tiny')]
    """
    # Equal sizes are ordered by path, so that the order of the input does not reach the digest.
    by_size = sorted(closure.paths, key=lambda info: (-info.size, info.path))
    alone = len(by_size) if len(by_size) <= budget else budget - 1
    layers = [_layer(info) for info in by_size[:alone]]
    if tail := by_size[alone:]:
        layers.append(_layer(*tail))
    return LayerPlan(tuple(layers))


def _layer(*infos: PathInfo) -> Layer:
    return Layer(tuple(sorted(info.path for info in infos)), sum(info.size for info in infos))

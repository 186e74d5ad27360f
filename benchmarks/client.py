"""A client that keeps the layers it has pulled."""

from collections.abc import Iterable

from nixery.layers import Layer, LayerPlan


class Client:
    def __init__(self) -> None:
        self._have: set[tuple[str, ...]] = set()

    def pull(self, plans: Iterable[LayerPlan]) -> int:
        """Uncompressed bytes of the layers that it did not have yet."""
        return sum(self._pull(layer) for plan in plans for layer in plan.layers)

    def _pull(self, layer: Layer) -> int:
        if layer.paths in self._have:
            return 0
        self._have.add(layer.paths)
        return layer.size

    def forked(self) -> "Client":
        """Another client with the same layers."""
        other = Client()
        other._have = set(self._have)
        return other

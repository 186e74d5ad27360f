"""Offers to put two shelves together, the cheapest first.

Most are void before their turn, because one of their shelves was joined to another. So those that
come at once are sorted at once, which is fast, and only the first of each such list is in the heap.
"""

from collections.abc import Container, Iterable
from heapq import heappop, heappush, heapreplace

Offer = tuple[float, int, int, int]
"""Bytes for each layer saved, layers saved, and the two shelves."""


class Offers:
    def __init__(self, offers: Iterable[Offer]) -> None:
        self._firsts: list[tuple[Offer, list[Offer]]] = []
        self.add(offers)

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def add(self, offers: Iterable[Offer]) -> None:
        if rest := sorted(offers, reverse=True):
            heappush(self._firsts, (rest.pop(), rest))

    def pop(self, shelves: Container[int]) -> Offer:
        """May be void itself; what follows it in its list is not."""
        offer, rest = self._firsts[0]
        while rest:
            following = rest.pop()
            if following[2] in shelves and following[3] in shelves:
                heapreplace(self._firsts, (following, rest))
                return offer
        heappop(self._firsts)
        return offer

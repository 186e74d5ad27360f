"""Images that people might ask for: a few of the tools of a list, some tools far more often."""

from bisect import bisect
from itertools import accumulate
from pathlib import Path
from random import Random

from benchmarks.distribution import Distribution

TOOLS = Path(__file__).parent / "tools.txt"
IMAGES = 300
TOOLS_PER_IMAGE = (1, 12)
STARTING_LIST = 300
BROUGHT = (2, 400)
"""Store paths that a package of the starting list brings: no mere file, no whole desktop."""

Image = tuple[int, ...]
"""Positions of nodes in a distribution, sorted."""


def read_tools(file: Path, distribution: Distribution) -> list[int]:
    """Positions of the packages named in the file, one a line; ``#`` begins a comment.

    Raises LookupError with the names that the index does not have.
    """
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    names = [line for line in lines if line]
    if unknown := [name for name in names if name not in distribution.position]:
        raise LookupError(f"{file} names packages that apt does not have: {' '.join(unknown)}")
    return list(dict.fromkeys(distribution.position[name] for name in names))


def draw(tools: list[int], seed: int, count: int = IMAGES) -> list[Image]:
    """1 to 12 tools each; the n-th of the list comes up 1/n as often as the first (Zipf)."""
    random = Random(seed)
    weights = list(accumulate(1 / rank for rank in range(1, len(tools) + 1)))
    images = []
    for _ in range(count):
        size = min(random.randint(*TOOLS_PER_IMAGE), len(tools))
        image: set[int] = set()
        while len(image) < size:
            image.add(tools[bisect(weights, random.random() * weights[-1])])
        images.append(tuple(sorted(image)))
    return images


def starting_list(distribution: Distribution, without: list[int], seed: int) -> list[int]:
    """Programs of the set, at random: what an operator knows before anybody asked.

    ``without``: the tools that are scored; a starting list that had them would be a hint.
    """
    candidates = [
        n for n, node in enumerate(distribution.nodes) if node.is_program and n not in set(without)
    ]
    random = Random(seed)
    random.shuffle(candidates)
    fewest, most = BROUGHT
    chosen: list[int] = []
    for n in candidates:
        if fewest <= len(distribution.reach([n])) <= most:
            chosen.append(n)
        if len(chosen) == STARTING_LIST:
            break
    return chosen

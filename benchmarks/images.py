"""Plausible images: a few of the tools of a list each, some tools far more often."""

from bisect import bisect
from collections.abc import Collection
from itertools import accumulate, islice
from pathlib import Path
from random import Random

from benchmarks.distribution import Distribution

TOOLS = Path(__file__).parent / "tools.txt"
IMAGES = 300
TOOLS_PER_IMAGE = (1, 12)
STARTING_LIST = 300
RANDOM_TOOLS = 120
BROUGHT = (2, 400)
"""Store paths that a random program brings: excludes single files and whole desktops."""

Image = tuple[int, ...]
"""Positions of nodes in a distribution, sorted."""


def read_tools(file: Path, distribution: Distribution) -> list[int]:
    """Positions of the packages named in the file, one per line; ``#`` begins a comment.

    Raises LookupError with the names that are missing in the index.
    """
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    names = [line for line in lines if line]
    if unknown := [name for name in names if name not in distribution.position]:
        raise LookupError(f"{file} names packages that apt does not have: {' '.join(unknown)}")
    return list(dict.fromkeys(distribution.position[name] for name in names))


def random_tools(distribution: Distribution, seed: int, without: Collection[int]) -> list[int]:
    """120 random programs of the index; the first is requested most."""
    programs = [n for n in _programs(distribution, without) if _is_usual(distribution, n)]
    return Random(f"list {seed}").sample(programs, min(RANDOM_TOOLS, len(programs)))


def draw(tools: list[int], seed: int, count: int = IMAGES) -> list[Image]:
    """1 to 12 tools each; the n-th of the list is requested 1/n as often as the first (Zipf)."""
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
    """Random programs of the set: what an operator knows before the first request.

    ``without``: the tools that are scored; a starting list that had them would be a hint.
    """
    candidates = _programs(distribution, set(without))
    random = Random(seed)
    random.shuffle(candidates)
    return list(islice((n for n in candidates if _is_usual(distribution, n)), STARTING_LIST))


def _programs(distribution: Distribution, without: Collection[int]) -> list[int]:
    return [n for n, node in enumerate(distribution.nodes) if node.is_program and n not in without]


def _is_usual(distribution: Distribution, n: int) -> bool:
    fewest, most = BROUGHT
    return fewest <= len(distribution.reach([n])) <= most

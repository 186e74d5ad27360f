"""Replay: requested images, and random ones that could be requested, to evaluate a table with.

A few hundred images show which packages are popular, but little about future combinations. So twice
as many random images are added: of similar size, with packages about as often as requested. A table
must also work for tools that nobody requested yet: in every fourth random image, some packages are
replaced by those of the starting list, and each package of that list (at most 300) is an image of
its own. Single packages show best what is needed without what.
"""

from itertools import accumulate
from random import Random

from nixery.learning.demand import Demand

MAX_REQUESTED = 300
"""Latest images that are used. More take longer and change little."""
DRAWN_PER_REQUESTED = 2
"""Random images for each requested one."""
MIN_DRAWN = 300
UNREQUESTED_SHARE = 0.25
"""Share of random images with packages of the starting list."""
MAX_UNREQUESTED = 3
"""Maximum number of such packages in an image."""
MAX_SINGLE = 300
"""Maximum number of packages of the starting list that are images of their own."""
USUAL_SIZES = range(1, 13)
"""Packages of a random image if nothing was requested yet."""


def replay(demand: Demand) -> list[tuple[str, ...]]:
    """Packages of each pull. Deterministic."""
    asked = [image for image in demand.images if image][-MAX_REQUESTED:]
    packages = sorted({package for image in asked for package in image})
    # Half a pull is added for each, so that rare packages are drawn again too.
    weights = dict.fromkeys(packages, 0.5)
    for image in asked:
        for package in image:
            weights[package] += 1
    totals = list(accumulate(weights.values()))
    sizes = [len(image) for image in asked] or list(USUAL_SIZES)
    random = Random(0)  # noqa: S311 - not secret, and every replica must draw the same

    def draw() -> tuple[str, ...]:
        size = min(random.choice(sizes), len(packages) or len(demand.start))
        strangers = size if not packages else 0
        if packages and demand.start and random.random() < UNREQUESTED_SHARE:
            strangers = random.randint(1, min(MAX_UNREQUESTED, size))
        strangers = min(strangers, len(demand.start))
        image = set(random.sample(demand.start, strangers))
        while len(image) < size:
            image.update(random.choices(packages, cum_weights=totals))
        return tuple(sorted(image))

    count = max(DRAWN_PER_REQUESTED * len(asked), MIN_DRAWN) if packages or demand.start else 0
    drawn = [draw() for _ in range(count)]
    alone = random.sample(demand.start, min(MAX_SINGLE, len(demand.start)))
    return [*asked, *drawn, *((package,) for package in alone)]

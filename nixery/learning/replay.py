"""Pulls to judge a table by: what was asked for, and what could have been.

A few hundred images say exactly which packages people like, and little about which will come
together next. So twice as many that are drawn join the images asked for: as many packages in each,
a package about as often as it was asked for. And a table must not fall apart where it meets a tool
that nobody asked for yet: in every fourth drawn image some packages give way to those of the
starting list, and each of that list, or 300 of many, is pulled alone. That says best what comes
without what; among twelve packages, something else brings the other thing, too.
"""

from itertools import accumulate
from random import Random

from nixery.learning.demand import Demand

ASKED = 300
"""The latest images that count. More cost time and change little."""
DRAWN = 2
"""For each image asked for."""
LEAST_DRAWN = 300
STRANGE = 0.25
"""The share of drawn images with packages of the starting list."""
STRANGERS = 3
"""Such packages, at most, in an image that has some."""
ALONE = 300
"""Packages of the starting list that are pulled alone, at most; each takes time."""
USUAL_SIZES = range(1, 13)
"""Packages in an image, as long as nothing was asked for."""


def replay(demand: Demand) -> list[tuple[str, ...]]:
    """Packages of each pull. The same demand gives the same pulls."""
    asked = [image for image in demand.images if image][-ASKED:]
    packages = sorted({package for image in asked for package in image})
    # Half a pull more for each, because rare packages are asked for again as well.
    weights = dict.fromkeys(packages, 0.5)
    for image in asked:
        for package in image:
            weights[package] += 1
    totals = list(accumulate(weights.values()))
    sizes = [len(image) for image in asked] or list(USUAL_SIZES)
    random = Random(0)  # noqa: S311 - nothing is secret, and every replica must draw the same

    def draw() -> tuple[str, ...]:
        size = min(random.choice(sizes), len(packages) or len(demand.start))
        strangers = size if not packages else 0
        if packages and demand.start and random.random() < STRANGE:
            strangers = random.randint(1, min(STRANGERS, size))
        strangers = min(strangers, len(demand.start))
        image = set(random.sample(demand.start, strangers))
        while len(image) < size:
            image.update(random.choices(packages, cum_weights=totals))
        return tuple(sorted(image))

    count = max(DRAWN * len(asked), LEAST_DRAWN) if packages or demand.start else 0
    drawn = [draw() for _ in range(count)]
    alone = random.sample(demand.start, min(ALONE, len(demand.start)))
    return [*asked, *drawn, *((package,) for package in alone)]

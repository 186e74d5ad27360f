"""Figures of a strategy in the benchmark of sharing, and their display."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from statistics import fmean

from nixery.learning.learn import BUDGETS

ByContender = Mapping[str, Mapping[int, "Figures"]]
"""Contender → budget → figures."""


@dataclass(frozen=True, slots=True)
class Figures:
    """In the order of the report; ``sharing.py`` explains each."""

    first: float
    after: float
    each: float
    layers: float
    worse: float
    behind: int
    republish: float


DIGITS = {"first": 2, "after": 2, "each": 2, "layers": 0, "worse": 2, "behind": 0, "republish": 2}


def after(pulled: Sequence[int], by_size: Sequence[int]) -> float:
    """Bytes after all changes; 1 if none touched an image.

    >>> after([4, 96], [1, 99]), after([0], [0])
    (1.0, 1.0)
    """
    return sum(pulled) / sum(by_size) if any(by_size) else 1.0


def each(pulled: Sequence[int], by_size: Sequence[int]) -> float:
    """The mean of each change that touched an image; 1 if none did.

    >>> each([4, 99, 0], [1, 99, 0]), each([0], [0])
    (2.5, 1.0)
    """
    return fmean([a / b for a, b in zip(pulled, by_size, strict=True) if b] or [1.0])


def worse(pulled: Sequence[int], by_size: Sequence[int]) -> float:
    """The share of images with more bytes; both lists in the order of the pulls."""
    return fmean(more > fewer for more, fewer in zip(pulled, by_size, strict=True))


def behind(pulled: Sequence[int], by_size: Sequence[int]) -> int:
    """Images until no more bytes were pulled in total, from there to the end.

    >>> behind([9, 1, 1], [5, 5, 5])
    1
    >>> behind([5, 6, 1], [5, 5, 5]), behind([5, 5], [5, 5]), behind([6, 6], [5, 5])
    (2, 0, 2)
    """
    ahead = accumulate(fewer - more for more, fewer in zip(pulled, by_size, strict=True))
    return max((n for n, bytes_ in enumerate(ahead, start=1) if bytes_ < 0), default=0)


def mean(by_budget: Mapping[int, Figures]) -> float:
    """The geometric mean of `first` and `after`: the score of a strategy."""
    return fmean(math.log(f.first) + math.log(f.after) for f in by_budget.values())


def report(results: ByContender) -> None:
    print(f"{'':18}" + "".join(f"{figure:^21}" for figure in DIGITS))
    print(f"{'':18}" + "".join(f"{budget:>7}" for budget in BUDGETS) * len(DIGITS))
    for contender, by_budget in results.items():
        print(
            f"{contender:18}"
            + "".join(
                f"{getattr(by_budget[budget], figure):7.{digits}f}"
                for figure, digits in DIGITS.items()
                for budget in BUDGETS
            )
        )


def as_json(results: ByContender) -> dict[str, dict[str, dict[str, float]]]:
    return {
        contender: {
            str(budget): {figure: round(value, 3) for figure, value in asdict(f).items()}
            for budget, f in by_budget.items()
        }
        for contender, by_budget in results.items()
    }

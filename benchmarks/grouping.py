"""A closure as large as a desktop's, and the time to plan its layers."""

from random import Random
from statistics import median
from time import perf_counter

from nixery import layers
from nixery.closure import Closure, PathInfo
from nixery.layers import names
from nixery.layers.tables import Popularity, Tables, Units
from nixery.settings import Settings

PATHS = 10_000
REFERENCES = 8
"""Maximum references of each path, to earlier paths."""
UNIT = 4
"""Paths in each unit of the table; half of all paths are in one."""


def group_10k_ms(runs: int = 5) -> float:
    """Milliseconds for one plan with the default strategy and budget; the median."""
    closure, tables = make_closure(PATHS), make_tables(PATHS)
    defaults = {name: Settings.model_fields[name].default for name in ("layering", "layer_budget")}
    taken = []
    for _ in range(runs):
        # A server sees most paths of an image for the first time.
        names.names.cache_clear()
        start = perf_counter()
        layers.group(closure, tables, defaults["layer_budget"], defaults["layering"])
        taken.append(perf_counter() - start)
    return round(1000 * median(taken), 1)


def make_closure(count: int) -> Closure:
    """Sizes as in nixpkgs: most are small, a few have hundreds of megabytes."""
    random = Random(1)
    paths: list[str] = []
    infos = []
    for number in range(count):
        path = f"/nix/store/{random.getrandbits(160):032x}-package{number}-1.{number % 50}"
        references = random.sample(paths, min(len(paths), random.randrange(REFERENCES)))
        size = int(random.lognormvariate(12, 2))
        infos.append(PathInfo(path, size, tuple(sorted(references))))
        paths.append(path)
    return Closure(tuple(sorted(infos, key=lambda info: info.path)))


def make_tables(count: int) -> Tables:
    known = [f"package{number}" for number in range(0, count, 2)]
    units = tuple(
        tuple(sorted(known[start : start + UNIT])) for start in range(0, len(known), UNIT)
    )
    return Tables(Popularity({}), Units(units, {}))

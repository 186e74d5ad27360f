"""How well images share their layers, by strategy.

    scripts/bench sharing [--seed N] [--tools LIST] [--learn-seed N] [--learn-tools LIST]
                          [--images N] [--draws N] [--plots DIRECTORY]

The package graph is that of a whole distribution: Debian's index, as apt has it on this machine.
300 images are drawn from a list of tools, 1 to 12 of them each, and pulled in order by one client
that keeps every layer it has seen. Then 0.2 % of the packages change, and with them everything that
refers to them, and the client pulls all images again.

    first      bytes pulled, relative to the bytes of the distinct store paths
    after      bytes pulled after a change, the mean of 10 changes, relative to those of strategy
               `size` after the same changes
    each       the same for each change that affects any image, and then the mean: a change of a
               few bytes has the same weight as one of half a distribution
    layers     of store paths in an image, the mean
    worse      share of the images that made the client pull more bytes than with `size`, when
               they were first pulled. An image alone is the same bytes with every strategy
    behind     images after which the client has pulled no more in total than with `size`, until
               the end
    republish  additional bytes if a table is learned again from as many images and every image
               is planned with it at once, in the units of `first`; empty where the new table is
               not enough better to be published. A server keeps the plans of acknowledged
               manifests, so this is the maximum

LIST is a file, or random:N for 120 programs of the index that are not in our own list. Tables are
learned from images of another seed, and of other tools where --learn-tools names them, never from
the images that are scored. `units` also knows a starting list: 300 random programs of the index,
none of them a tool that is scored; `units-unprepared` has no such list. The last line is JSON.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean

from benchmarks import distribution, plots
from benchmarks.client import Client
from benchmarks.distribution import Distribution, Revision
from benchmarks.figures import Figures, after, as_json, behind, each, mean, report, worse
from benchmarks.images import IMAGES, TOOLS, Image, draw, random_tools, read_tools, starting_list
from nixery.closure import Closure
from nixery.layers import EMPTY, STRATEGIES, LayerPlan, Strategy, Tables, group
from nixery.learning.demand import Demand, demand
from nixery.learning.learn import BUDGETS, learn, worth_publishing
from nixery.popcount import count

CHANGED = 0.002
DRAWS = 10


@dataclass(frozen=True, slots=True)
class Contender:
    """A strategy with its tables."""

    strategy: Strategy
    tables: Tables = EMPTY
    newer: Tables | None = None
    """Tables learned later, which may be published; None where nothing is learned."""
    later: Demand | None = None
    """The images from which those were learned."""

    def plans(self, images: Sequence[Closure], budget: int) -> list[LayerPlan]:
        return [group(closure, self.tables, budget, self.strategy) for closure in images]


def main() -> None:
    arguments = parse(sys.argv[1:])
    debian = distribution.read()
    try:
        tools = tools_of(arguments.tools, debian)
        learn_tools = tools_of(arguments.learn_tools or arguments.tools, debian)
    except (LookupError, OSError) as error:
        sys.exit(f"sharing: {error}")
    images = draw(tools, arguments.seed, arguments.images)
    learned = draw(learn_tools, arguments.learn_seed)
    later = draw(learn_tools, arguments.learn_seed + 1)
    start = starting_list(debian, tools, arguments.learn_seed)
    results = score(
        debian,
        images,
        contenders(debian, learned, later, start),
        changes(debian, arguments.seed, arguments.draws),
    )
    report(results)
    if arguments.plots:
        for file in plots.write(arguments.plots, as_json(results)):
            print(f"wrote {file}")
    winner = min(STRATEGIES, key=lambda strategy: mean(results[strategy]))
    print(json.dumps({"default": winner, "strategies": as_json(results)}))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    about, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="scripts/bench sharing",
        description=f"{about}\n\n{rest}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="of the images that are scored")
    parser.add_argument("--tools", default=str(TOOLS), help="what they are drawn from")
    parser.add_argument("--learn-seed", type=int, default=1001, help="of the images learned from")
    parser.add_argument("--learn-tools", help="what those are drawn from; as --tools")
    parser.add_argument("--images", type=int, default=IMAGES, help="to score")
    parser.add_argument("--draws", type=int, default=DRAWS, help="changes to take the mean of")
    parser.add_argument("--plots", type=Path, help="a directory for SVG files")
    chosen = parser.parse_args(arguments)
    if chosen.seed in (chosen.learn_seed, chosen.learn_seed + 1):
        parser.error("--learn-seed and the number after it must differ from --seed")
    return chosen


def tools_of(said: str, debian: Distribution) -> list[int]:
    """The tools of a file, or of ``random:N``; raises LookupError and OSError."""
    kind, _, number = said.partition(":")
    if kind == "random" and number.isdecimal():
        return random_tools(debian, int(number), set(read_tools(TOOLS, debian)))
    return read_tools(Path(said), debian)


def contenders(
    debian: Distribution, learned: Sequence[Image], later: Sequence[Image], start: Sequence[int]
) -> Mapping[str, Contender]:
    everything = range(len(debian.nodes))
    popularity = count.popularity(Revision(debian, everything, {}).closure(everything))

    def units(starting: Sequence[int]) -> Contender:
        tables = Tables(popularity, learn(asked(debian, learned, starting)))
        demand_later = asked(debian, [*learned, *later], starting)
        return Contender("units", tables, Tables(popularity, learn(demand_later)), demand_later)

    return {
        "size": Contender("size"),
        "dominator": Contender("dominator", Tables(popularity, EMPTY.units)),
        "units": units(start),
        "units-unprepared": units(()),
    }


def asked(debian: Distribution, images: Sequence[Image], start: Sequence[int]) -> Demand:
    """The requests that a server would have recorded."""
    everything = {n for image in images for n in image} | set(start)
    at = Revision(debian, debian.reach(everything), {})
    paths = [[at.path(n) for n in image] for image in images]
    return demand(at.closure(everything), paths, [at.path(n) for n in start])


def changes(debian: Distribution, seed: int, draws: int) -> list[Mapping[int, str]]:
    random = Random(f"change {seed}")
    return [distribution.change(debian, CHANGED, random) for _ in range(draws)]


def score(
    debian: Distribution,
    images: Sequence[Image],
    given: Mapping[str, Contender],
    changed: Sequence[Mapping[int, str]],
) -> dict[str, dict[int, Figures]]:
    """Figures by contender and budget; `size` is the first contender."""
    needed = debian.reach({n for image in images for n in image})

    def revised(marks: Mapping[int, str]) -> list[Closure]:
        at = Revision(debian, needed, marks)
        return [at.closure(image) for image in images]

    now, then = revised({}), [revised(marks) for marks in changed]
    ideal = sum(debian.nodes[n].size for n in needed)
    results: dict[str, dict[int, Figures]] = {contender: {} for contender in given}
    for budget in BUDGETS:
        yardstick: tuple[Sequence[int], Sequence[int]] | None = None
        for contender_name, contender in given.items():
            plans = contender.plans(now, budget)
            found = _pulled(plans, [contender.plans(closures, budget) for closures in then])
            by_size, again_by_size = yardstick = yardstick or found
            first, again = found
            republish = 0
            if anew := republished(contender, budget):
                _, (republish,) = _pulled(plans, [anew.plans(now, budget)])
            results[contender_name][budget] = Figures(
                sum(first) / ideal,
                after(again, again_by_size),
                each(again, again_by_size),
                fmean(len(plan.layers) for plan in plans),
                worse(first, by_size),
                behind(first, by_size),
                republish / ideal,
            )
    return results


def republished(contender: Contender, budget: int) -> Contender | None:
    """The contender with its newer tables.

    None if there are none, or if publishing them does not pay.
    """
    old, new = contender.tables.units, contender.newer
    if new is None or contender.later is None:
        return None
    if not worth_publishing(new.units, old, contender.later, budget):
        return None
    return Contender(contender.strategy, new)


def _pulled(
    plans: Sequence[LayerPlan], later: Sequence[Sequence[LayerPlan]]
) -> tuple[list[int], list[int]]:
    """Bytes of each first pull, and of all later ones, which directly follow the first."""
    client = Client()
    first = [client.pull([plan]) for plan in plans]
    return first, [client.forked().pull(again) for again in later]


if __name__ == "__main__":
    main()

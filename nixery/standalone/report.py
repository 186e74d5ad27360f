"""Report of a plan, as text or JSON."""

from collections.abc import Iterator, Mapping

from nixery.human_units import size_text
from nixery.layers import Layer, Strategy
from nixery.layers.plan import Why
from nixery.standalone.planning import PlannedImage
from nixery.standalone.prepare import Prepared, Tools

SHOWN = 3
"""Paths of each layer in the text: the largest."""

_WHY: Mapping[Why, str] = {
    "alone": "alone: one of the largest",
    "together": "together: rarely requested apart",
    "rest": "the rest: no layers are left for it",
}
_ROOM = "alone: there is room for all"
_TREE = "together: one of them alone needs the others"
_ORIGIN = {
    "chosen": "with the requested tables",
    "before": "as recorded when it was first built",
    "now": "with the current tables",
}


def as_json(image: Prepared, planned: PlannedImage, tools: Tools) -> dict[str, object]:
    size = {info.path: info.size for info in image.closure.paths}
    return {
        "image": image.name,
        "tag": image.tag,
        "source": image.source.url,
        "revision": image.source.revision,
        "strategy": tools.layering,
        "budget": tools.layer_budget,
        "planned": planned.origin,
        "tables": dict(planned.tables),
        "size": image.closure.size,
        "layers": [
            {
                "why": layer.why,
                "size": layer.size,
                "paths": [{"path": path, "size": size[path]} for path in layer.paths],
            }
            for layer in planned.layers
        ],
        "packages": [path for package in image.packages for path in package.paths],
    }


def text(image: Prepared, planned: PlannedImage, tools: Tools) -> str:
    size = {info.path: info.size for info in image.closure.paths}
    tables = ", ".join(f"{kind} {version}" for kind, version in sorted(planned.tables.items()))
    source = " ".join(filter(None, (image.source.url, image.source.revision)))
    lines = [
        f"{image.name}:{image.tag} from {source}",
        f"{len(image.closure.paths)} store paths, {size_text(image.closure.size)} unpacked",
        f"planned by {tools.layering} for {tools.layer_budget} layers, {_ORIGIN[planned.origin]}",
        f"tables: {tables or 'none'}",
        "",
    ]
    crowded = any(layer.why == "rest" for layer in planned.layers)
    for number, layer in enumerate(planned.layers, start=1):
        why = _why(layer, tools.layering, crowded=crowded)
        lines.append(f"{number:>3}  {size_text(layer.size):>10}  {why}")
        lines += _paths(layer, size)
    lines.append(f"{len(planned.layers) + 1:>3}  links from the image's root into its packages")
    return "\n".join(lines)


def _why(layer: Layer, strategy: Strategy, *, crowded: bool) -> str:
    """``crowded``: whether there is a rest."""
    match layer.why, strategy:
        case "alone", _ if not crowded:
            return _ROOM
        case "together", "dominator":
            return _TREE
    return _WHY[layer.why]


def _paths(layer: Layer, size: Mapping[str, int]) -> Iterator[str]:
    largest = sorted(layer.paths, key=lambda path: (-size[path], path))
    for path in largest[:SHOWN]:
        yield f"{'':17}{path}"
    if len(largest) > SHOWN:
        yield f"{'':17}and {len(largest) - SHOWN} more"

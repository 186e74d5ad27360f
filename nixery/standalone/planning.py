"""Plans the layers of an image as a server with the same settings and storage would.

The first rule that applies:

--tables was given            with that table
no storage is set             without tables
the image has a plan          that plan: an image that was served keeps its layers
otherwise                     with the current tables
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nixery import layers
from nixery.cache import Plans, StoredPlan
from nixery.closure import Closure
from nixery.errors import ConfigurationError
from nixery.layers import EMPTY, READS, Layer, Tables
from nixery.standalone.prepare import Prepared, Tools
from nixery.storage import Storage
from nixery.tables.current import CurrentTables
from nixery.tables.published import Published


@dataclass(frozen=True, slots=True)
class PlannedImage:
    layers: tuple[Layer, ...]
    """In the image's order, without the environment layer."""
    tables: Mapping[str, str]
    """Versions of the tables that it was planned with, by kind."""
    origin: Literal["chosen", "before", "now"]
    """Which tables these are: the requested ones, those of the recorded plan, or the current
    ones."""


@dataclass(frozen=True, slots=True)
class Chosen:
    tables: Tables
    versions: Mapping[str, str]
    """By kind."""


def choose(tools: Tools, storage: Storage | None, version: str | None) -> Chosen | None:
    """The table of that version; None if no version is given. Blocks.

    Raises ConfigurationError if the strategy has no such table.
    """
    if version is None:
        return None
    kinds = READS[tools.layering]
    if not kinds:
        raise ConfigurationError(
            f"the strategy {tools.layering} reads no tables: remove --tables {version!r}"
        )
    if storage is None:
        raise ConfigurationError(
            f"no storage to read table {version!r} from: set NIXERY_STORAGE_BACKEND and the "
            "settings of the storage, as for the server"
        )
    published = Published(storage)
    found = {kind: version for kind in kinds if published.read(kind, version)}
    tables, versions = CurrentTables(published, kinds).load_versions(found)
    if not versions:
        raise ConfigurationError(
            f"the storage has no table {version!r} for the strategy {tools.layering}: "
            "nixery tables --all lists the versions"
        )
    return Chosen(tables, versions)


def plan(
    image: Prepared, tools: Tools, storage: Storage | None, chosen: Chosen | None = None
) -> PlannedImage:
    """``chosen``: instead of the current tables. Blocks, and raises the errors of the storage."""
    group = _Grouping(image.closure, tools)
    if chosen:
        return PlannedImage(group.with_tables(chosen.tables), chosen.versions, "chosen")
    if storage is None:
        return PlannedImage(group.with_tables(EMPTY), {}, "now")
    kinds = READS[tools.layering]
    known = CurrentTables(Published(storage), kinds)
    if recorded := Plans(storage).peek(image.key, image.closure):
        tables, _ = known.load_versions(
            {kind: recorded.tables[kind] for kind in kinds if kind in recorded.tables}
        )
        return PlannedImage(group.from_plan(recorded, tables), recorded.tables, "before")
    tables, versions = known.load()
    return PlannedImage(group.with_tables(tables), versions, "now")


@dataclass(frozen=True, slots=True)
class _Grouping:
    closure: Closure
    tools: Tools

    def with_tables(self, tables: Tables) -> tuple[Layer, ...]:
        budget, strategy = self.tools.layer_budget, self.tools.layering
        return layers.group(self.closure, tables, budget, strategy).layers

    def from_plan(self, plan: StoredPlan, tables: Tables) -> tuple[Layer, ...]:
        """The recorded layers, with the reasons that the plan's ``tables`` give for them."""
        reasons = {layer.paths: layer.why for layer in self.with_tables(tables)}
        size = {info.path: info.size for info in self.closure.paths}
        return tuple(
            Layer(
                paths,
                sum(size[path] for path in paths),
                reasons.get(paths, "alone" if len(paths) == 1 else "together"),
            )
            for paths in plan.layers
        )

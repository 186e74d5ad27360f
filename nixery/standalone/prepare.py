"""From an image's name to its closure: the builder's steps without its caches."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nixery import image_name
from nixery.archive import Packer, Workers
from nixery.builder import NixStore
from nixery.cache import Recipe
from nixery.closure import Closure, Package
from nixery.image_name import ImageRequest
from nixery.layers import Strategy
from nixery.nix.gc_roots import Roots
from nixery.source import PackageSource, ResolvedSource


@dataclass(frozen=True, slots=True)
class Tools:
    """The parts that a server with these settings builds images with."""

    source: PackageSource
    nix: NixStore
    roots: Roots
    recipe: Recipe
    workers: Workers
    packer: Packer
    at_once: int
    """Layers packed at once."""
    layering: Strategy
    layer_budget: int


@dataclass(frozen=True, slots=True)
class Order:
    """The requested image."""

    reference: str
    """``name`` or ``name:tag``."""
    tables: str | None = None
    """Version of the table to plan with; None: as the server would."""


@dataclass(frozen=True, slots=True)
class Prepared:
    name: str
    tag: str
    request: ImageRequest
    source: ResolvedSource
    packages: tuple[Package, ...]
    closure: Closure
    key: str
    """The key of the image's plan in a server's storage."""


@asynccontextmanager
async def prepared(tools: Tools, order: Order) -> AsyncIterator[Prepared]:
    """The image with its closure; the store paths are rooted until the block is left.

    Builds and downloads what the store lacks. Raises the errors of nixery.errors.
    """
    name, _, tag = order.reference.partition(":")
    request, tag = image_name.parse(name), image_name.parse_tag(tag or "latest")
    source = await tools.source.resolve(tag)
    packages = await tools.nix.evaluate(await tools.source.read(source), request)
    key = tools.recipe.outputs_key(packages, request)
    with tools.roots.opened(), tools.roots.reserve() as root:
        await tools.nix.realise(packages, root)
        closure = await tools.nix.closure([path for p in packages for path in p.paths])
        yield Prepared(name, tag, request, source, packages, closure, key)

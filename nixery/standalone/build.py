"""Builds an image. It appears at its destination completely or not at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import anyio.to_thread

from nixery.archive import Uncompressed
from nixery.assembler import Assembler
from nixery.cache import LayerCache
from nixery.manifest import Manifest, blobs_of
from nixery.oci import Digest, Format
from nixery.standalone import docker, layout
from nixery.standalone.destination import place_of_directory, place_of_file
from nixery.standalone.planning import PlannedImage, choose, plan
from nixery.standalone.prepare import Order, Prepared, Tools, prepared
from nixery.standalone.scratch import scratch_for
from nixery.storage import Storage


@dataclass(frozen=True, slots=True)
class Made:
    image: Prepared
    planned: PlannedImage
    manifest: Manifest
    """The OCI manifest."""

    @property
    def config(self) -> Digest:
        """Digest of the config, docker's image ID."""
        return blobs_of(self.manifest)[0].digest


def plan_only(order: Order, tools: Tools, plans: Storage | None) -> tuple[Prepared, PlannedImage]:
    """``plans``: the server's storage, if one is set."""

    async def run() -> tuple[Prepared, PlannedImage]:
        async with _planned(order, tools, plans) as found:
            return found

    return anyio.run(run)


def build_layout(order: Order, tools: Tools, plans: Storage | None, target: Path) -> Made:
    """An OCI image layout in the directory ``target``, or where a link there points to.

    Raises ConfigurationError if something exists there.
    """
    place = place_of_directory(target)
    with scratch_for(place) as scratch:
        made = anyio.run(_make, order, tools, plans, scratch.storage)
        layout.write(scratch.directory / "made", scratch, made.manifest, made.image.tag)
        (scratch.directory / "made").rename(place)
    return made


def build_archive(order: Order, tools: Tools, plans: Storage | None, target: Path) -> Made:
    """A file for ``docker load``. Replaces an existing file, or the target of a link.

    Its config, and so the image ID, is that of a server. Raises ConfigurationError if something
    other than a regular file exists there.
    """
    place = place_of_file(target)
    plain = replace(tools, packer=replace(tools.packer, compression=Uncompressed()))
    with scratch_for(place) as scratch:
        made = anyio.run(_make, order, plain, plans, scratch.storage)
        name = f"{made.image.name}:{made.image.tag}"
        docker.write(scratch.directory / "made", scratch, made.manifest, name)
        (scratch.directory / "made").rename(place)
    return made


@asynccontextmanager
async def _planned(
    order: Order, tools: Tools, plans: Storage | None
) -> AsyncIterator[tuple[Prepared, PlannedImage]]:
    # Checked first, so that wrong usage is reported before anything is built.
    chosen = await anyio.to_thread.run_sync(choose, tools, plans, order.tables)
    async with prepared(tools, order) as image:
        yield image, await anyio.to_thread.run_sync(plan, image, tools, plans, chosen)


async def _make(order: Order, tools: Tools, plans: Storage | None, storage: Storage) -> Made:
    async with _planned(order, tools, plans) as (image, planned):
        assembler = Assembler(storage, tools.packer, LayerCache(storage), tools.at_once)
        layers = [layer.paths for layer in planned.layers]
        packed = await assembler.pack(layers, image.packages, image.request)
    manifests = await assembler.describe(packed, image.request, image.packages, layers)
    return Made(image, planned, manifests[Format.OCI])

"""Assembly of the server: creates each part as the settings say, and the builder from them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nixery import archive, layers
from nixery.archive import Packer, Workers, compression_of
from nixery.backends import disks, further_paths, open_nix, open_source
from nixery.builder import Builder, BuildLimits, NixStore, TableSource
from nixery.builder_front import BuilderFront
from nixery.cache import (
    Caches,
    Evaluations,
    Failures,
    KnownImages,
    LayerCache,
    ManifestCache,
    Plans,
    Presence,
    Recipe,
)
from nixery.concurrency.queue import QUEUE_TIMEOUT
from nixery.gc import GarbageCollector
from nixery.host.disk_space import Disk, provide_directory
from nixery.lease import Leases
from nixery.nix import Nix
from nixery.nix.gc_roots import Roots
from nixery.nix.store import store_root
from nixery.planning import PlanningTables
from nixery.settings import Settings
from nixery.source import PackageSource
from nixery.standalone.prepare import Tools
from nixery.storage import Storage
from nixery.verified_blobs import VerifiedBlobs


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a server."""

    storage: Storage
    verifier: VerifiedBlobs
    source: PackageSource
    nix: Nix
    workers: Workers
    collector: GarbageCollector
    tables: PlanningTables
    disk: Disk
    builder: Builder
    answers: BuilderFront


def make_parts(settings: Settings, environ: Mapping[str, str], storage: Storage) -> Parts:
    """Raises ConfigurationError if the package source or a directory cannot be used."""
    provide_directory("NIXERY_STATE_DIR", settings.state_dir, writable=False)  # only a cache
    source = open_source(settings, environ)
    nix = open_nix(settings, environ)
    workers = Workers(settings.pack_workers)
    packer = make_packer(settings, workers)
    verifier = VerifiedBlobs(storage)
    leases = Leases(storage)
    collector = GarbageCollector(storage, leases, settings.storage_max_bytes)
    tables = PlanningTables(
        storage,
        strategy=settings.layering,
        budget=settings.layer_budget,
        popularity_url=settings.popularity_url,
    )
    disk = Disk(disks(settings), on_full=collector.request_collection)
    builder = make_builder(
        source=source,
        nix=nix,
        storage=storage,
        verifier=verifier,
        packer=packer,
        roots=open_roots(settings),
        state_dir=settings.state_dir,
        tables=tables,
        leases=leases,
        disk=disk,
        recipe=recipe(settings, packer),
        limits=BuildLimits(
            builds=settings.max_builds,
            pack_workers=settings.pack_workers,
            layering=settings.layering,
            layer_budget=settings.layer_budget,
            queue=settings.queue,
            # A longer wait would end with "not ready in time", an error that is cached.
            patience=min(QUEUE_TIMEOUT, settings.request_timeout / 2),
        ),
        evaluation_ttl=settings.resolve_ttl if settings.allowed_uris else None,
    )
    answers = BuilderFront(
        builder, Failures(time.monotonic), settings.request_timeout, settings.max_dots
    )
    return Parts(storage, verifier, source, nix, workers, collector, tables, disk, builder, answers)


def make_builder(  # noqa: PLR0913 - one for each part
    *,
    source: PackageSource,
    nix: NixStore,
    storage: Storage,
    verifier: VerifiedBlobs,
    packer: Packer,
    roots: Roots,
    state_dir: Path,
    tables: TableSource,
    leases: Leases,
    disk: Disk,
    recipe: Recipe,
    limits: BuildLimits,
    evaluation_ttl: float | None,
    clock: Callable[[], float] = time.monotonic,
) -> Builder:
    """``state_dir``: of the local manifest cache. ``evaluation_ttl``: seconds, or None."""
    manifests = ManifestCache(storage, state_dir / "manifests")
    return Builder(
        source=source,
        nix=nix,
        storage=storage,
        packer=packer,
        roots=roots,
        caches=Caches(
            images=KnownImages(manifests, Presence(storage, clock), verifier),
            evaluations=Evaluations(clock, evaluation_ttl),
            plans=Plans(storage),
            layers=LayerCache(storage),
        ),
        tables=tables,
        leases=leases,
        disk=disk,
        recipe=recipe,
        limits=limits,
    )


def make_tools(settings: Settings, environ: Mapping[str, str]) -> Tools:
    """Tools to build images without a server. Raises ConfigurationError like ``make_parts``."""
    workers = Workers(settings.pack_workers)
    packer = make_packer(settings, workers)
    return Tools(
        source=open_source(settings, environ),
        nix=open_nix(settings, environ),
        roots=open_roots(settings),
        recipe=recipe(settings, packer),
        workers=workers,
        packer=packer,
        at_once=settings.pack_workers,
        layering=settings.layering,
        layer_budget=settings.layer_budget,
    )


def open_roots(settings: Settings) -> Roots:
    """Raises ConfigurationError if the directory cannot be used."""
    provide_directory("NIXERY_ROOTS_DIR", settings.roots_dir, writable=True)
    return Roots(settings.roots_dir)


def make_packer(settings: Settings, workers: Workers) -> Packer:
    compression = compression_of(settings.compression, settings.compression_level)
    # With a single core, the thread that reads a layer compresses it too.
    helpers = workers if settings.pack_workers > 1 else None
    return Packer(store_root(settings.nix_remote), compression, helpers, settings.state_dir)


def recipe(settings: Settings, packer: Packer) -> Recipe:
    """Servers with equal recipes build identical images."""
    return Recipe(
        evaluation={
            "config": settings.config_for_nixpkgs,
            "import from derivation": settings.allow_ifd,
        },
        self_contained=not further_paths(settings) and not settings.allowed_uris,
        image={
            "archive": archive.LAYER_FORMAT,
            "compression": packer.compression.key,
            "layers": {
                "format": layers.FORMATS[settings.layering],
                "strategy": settings.layering,
                "budget": settings.layer_budget,
            },
        },
    )

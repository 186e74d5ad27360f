"""Each room's part, made as the settings say; and the builder, which needs them all."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from nixery import archive, confinement, layers
from nixery.answers import Answers
from nixery.archive import Packer, Workers, compression_of
from nixery.builder import Builder, Limits
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
from nixery.disk import Disk, provide_directory
from nixery.errors import ConfigurationError, StorageUnavailable
from nixery.gc import Keeper
from nixery.lease import Leases
from nixery.nix import Evaluation, Nix
from nixery.nix.environment import for_nix
from nixery.nix.machine import Machine
from nixery.nix.store import STORE_DIR, store_root
from nixery.queue import PATIENCE
from nixery.roots import Roots
from nixery.settings import Settings
from nixery.source import PackageSource
from nixery.source.factory import make_source
from nixery.standalone.prepare import Tools
from nixery.storage import Storage
from nixery.storage.filesystem import FilesystemStorage
from nixery.storage.patience import PATIENT, Patience
from nixery.tables.planning import PlanningTables
from nixery.verifier import Verifier

log = structlog.get_logger()

BUILDER_COMMAND = "nixery-prepare-image"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a program of this package works with."""

    storage: Storage
    verifier: Verifier
    source: PackageSource
    nix: Nix
    workers: Workers
    keeper: Keeper
    tables: PlanningTables
    disk: Disk
    builder: Builder
    answers: Answers


def make_parts(settings: Settings, environ: Mapping[str, str], storage: Storage) -> Parts:
    """Raises ConfigurationError where the package source or a directory cannot be used."""
    provide_directory("NIXERY_STATE_DIR", settings.state_dir, writable=False)  # it can be lost
    source = open_source(settings, environ)
    nix = open_nix(settings, environ)
    workers = Workers(settings.pack_workers)
    packer = make_packer(settings, workers)
    presence, verifier = Presence(storage, time.monotonic), Verifier(storage)
    manifests = ManifestCache(storage, settings.state_dir / "manifests")
    leases = Leases(storage)
    keeper = Keeper(storage, leases, settings.storage_max_bytes)
    tables = PlanningTables(
        storage,
        strategy=settings.layering,
        budget=settings.layer_budget,
        popularity_url=settings.popularity_url,
    )
    disk = Disk(disks(settings), on_full=keeper.noticed_full)
    builder = Builder(
        source=source,
        nix=nix,
        storage=storage,
        packer=packer,
        roots=open_roots(settings),
        caches=Caches(
            images=KnownImages(manifests, presence, verifier),
            evaluations=Evaluations(
                time.monotonic, settings.resolve_ttl if settings.allowed_uris else None
            ),
            plans=Plans(storage),
            layers=LayerCache(storage),
        ),
        tables=tables,
        leases=leases,
        disk=disk,
        recipe=recipe(settings, packer),
        limits=Limits(
            builds=settings.max_builds,
            pack_workers=settings.pack_workers,
            layering=settings.layering,
            layer_budget=settings.layer_budget,
            queue=settings.queue,
            # Else the queue would end with "not ready in time", which is remembered.
            patience=min(PATIENCE, settings.request_timeout / 2),
        ),
    )
    answers = Answers(
        builder, Failures(time.monotonic), settings.request_timeout, settings.max_dots
    )
    return Parts(storage, verifier, source, nix, workers, keeper, tables, disk, builder, answers)


def make_tools(settings: Settings, environ: Mapping[str, str]) -> Tools:
    """For images without a server. Raises ConfigurationError as ``make_parts`` does."""
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
    """Raises ConfigurationError where there is no place for them."""
    provide_directory("NIXERY_ROOTS_DIR", settings.roots_dir, writable=True)
    return Roots(settings.roots_dir)


def make_packer(settings: Settings, workers: Workers) -> Packer:
    compression = compression_of(settings.compression, settings.compression_level)
    # One worker is one core: then whoever reads a layer compresses it as well.
    helpers = workers if settings.pack_workers > 1 else None
    return Packer(store_root(settings.nix_remote), compression, helpers, settings.state_dir)


def open_storage(settings: Settings, patience: Patience = PATIENT) -> Storage:
    """Raises ConfigurationError where it cannot be used.

    A bucket that does not answer is no such case: pulls get a 503 until it does.
    """
    storage = connect_storage(settings, patience)
    try:
        storage.check()
    except StorageUnavailable as error:
        log.warning("started without its bucket", error=error.message, log=error.log)
    return storage


def connect_storage(settings: Settings, patience: Patience = PATIENT) -> Storage:
    """Without looking whether it can be used, which writes to it.

    The libraries of the buckets take a second to import, so only who has one loads them.
    """
    match settings.storage_backend:
        case "filesystem":
            assert settings.storage_path is not None, "checked when the settings were read"
            return FilesystemStorage(settings.storage_path)
        case "gcs":
            from nixery.storage import gcs  # noqa: PLC0415 - see above

            return gcs.connect(
                settings.gcs_bucket,
                credentials_file=settings.gcs_credentials,
                public=settings.gcs_public,
                emulator=settings.gcs_emulator,
                patience=patience,
            )
        case "s3":
            from nixery.storage import s3  # noqa: PLC0415 - see above

            secret = settings.s3_secret_key
            return s3.connect(
                s3.S3Options(
                    bucket=settings.s3_bucket,
                    region=settings.s3_region,
                    endpoint=settings.s3_endpoint,
                    access_key=settings.s3_access_key,
                    secret_key=secret.get_secret_value() if secret else "",
                    path_style=settings.s3_path_style,
                    link_expiration=settings.s3_link_expiration,
                ),
                patience,
            )


def disks(settings: Settings) -> list[Path]:
    """What must have room for a build."""
    found = [store_root(settings.nix_remote) / STORE_DIR.lstrip("/")]
    if settings.storage_backend == "filesystem" and settings.storage_path:
        found.append(settings.storage_path)
    return found


def recipe(settings: Settings, packer: Packer) -> Recipe:
    """Two servers with equal recipes make equal images."""
    return Recipe(
        evaluation={
            "config": settings.config_for_nixpkgs,
            "import from derivation": settings.allow_ifd,
        },
        self_contained=not settings.allowed_paths and not settings.allowed_uris,
        image={
            "archive": archive.FORMAT,
            "compression": packer.compression.key,
            "layers": {
                "format": layers.FORMATS[settings.layering],
                "strategy": settings.layering,
                "budget": settings.layer_budget,
            },
        },
    )


def open_nix(settings: Settings, environ: Mapping[str, str]) -> Nix:
    """Raises ConfigurationError where evaluation cannot be confined as it must be."""
    if settings.confine:
        confinement.check()
        if settings.allow_ifd and not Machine(for_nix(environ)).has_daemon:
            raise ConfigurationError(
                "NIXERY_ALLOW_IFD=1 builds during the evaluation. Without a Nix daemon the sandbox "
                "of these builds cannot be set up in a confined evaluation: set NIX_REMOTE=daemon, "
                "or NIXERY_CONFINE=0, see docs/security.md"
            )
    return Nix(
        environment=environ,
        nix_timeout=settings.nix_timeout,
        evaluation=Evaluation(
            allowed_paths=settings.allowed_paths,
            allowed_uris=settings.allowed_uris,
            allow_ifd=settings.allow_ifd,
            config=settings.config_for_nixpkgs,
            memory=settings.evaluation_memory or None,
            timeout=settings.evaluation_timeout,
            confined=settings.confine,
        ),
        command=BUILDER_COMMAND,
    )


def open_source(settings: Settings, environ: Mapping[str, str]) -> PackageSource:
    """Raises ConfigurationError where it cannot be used."""
    return make_source(
        channel=settings.channel,
        channel_url=settings.channel_url,
        repo=settings.pkgs_repo,
        path=settings.pkgs_path,
        allowed_refs=settings.git_allowed_refs,
        tags=settings.tags,
        state_dir=settings.state_dir,
        request_timeout=settings.request_timeout,
        resolve_ttl=settings.resolve_ttl,
        clock=time.monotonic,
        queue=settings.queue,
        beside=settings.allowed_paths,
        environ=environ,
    )

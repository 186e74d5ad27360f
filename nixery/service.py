"""Puts the parts together as the settings say. A table of contents of the whole program."""

import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
from starlette.applications import Starlette

from nixery import archive
from nixery.archive import Gzip, Packer, Workers
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
from nixery.disk import Disk
from nixery.errors import ConfigurationError, StorageUnavailable
from nixery.gc import Keeper
from nixery.http.app import create_app
from nixery.http.pages import About
from nixery.http.server import serve as serve_http
from nixery.lease import Leases
from nixery.logs import configure_logging
from nixery.nix import Nix
from nixery.nix.store import STORE_DIR, store_root
from nixery.pulled import PullMarks
from nixery.queue import Queue
from nixery.roots import Roots
from nixery.settings import Settings
from nixery.source import PackageSource
from nixery.source.factory import make_source
from nixery.storage import Storage
from nixery.storage.filesystem import FilesystemStorage

log = structlog.get_logger()

BUILDER_COMMAND = "nixery-prepare-image"


def serve(settings: Settings, environ: Mapping[str, str]) -> None:
    """Serve until a signal ends it. Raises ConfigurationError before it listens."""
    # A person at a terminal reads text; everything that collects logs reads JSON.
    configure_logging(sys.stderr, json=not sys.stderr.isatty())
    # What a client may have to wait for must not start with a surprise in its first pull.
    if shutil.which(BUILDER_COMMAND, path=environ.get("PATH", os.defpath)) is None:
        raise ConfigurationError(
            f"{BUILDER_COMMAND} is not on PATH; it is installed beside the nixery command"
        )
    serve_http(make_app(settings, environ), settings.listen, settings.port)


def make_app(settings: Settings, environ: Mapping[str, str]) -> Starlette:
    """The application; what it holds is opened and closed with its lifespan."""
    storage = open_storage(settings)
    source = open_source(settings, environ)
    workers = Workers(settings.pack_workers)
    packer = Packer(store_root(settings.nix_remote), Gzip(settings.compression_level), workers)
    presence = Presence(storage, time.monotonic)
    leases = Leases(storage)
    keeper = Keeper(storage, leases, settings.storage_max_bytes)
    marking = ThreadPoolExecutor(1, thread_name_prefix="marks")
    builder = Builder(
        source=source,
        nix=open_nix(settings, environ),
        storage=storage,
        packer=packer,
        roots=Roots(settings.roots_dir),
        caches=Caches(
            images=KnownImages(ManifestCache(storage, settings.state_dir / "manifests"), presence),
            evaluations=Evaluations(
                time.monotonic, settings.resolve_ttl if settings.allowed_uris else None
            ),
            plans=Plans(storage),
            layers=LayerCache(storage),
            failures=Failures(time.monotonic),
        ),
        leases=leases,
        queue=Queue(settings.max_builds),
        disk=Disk(disks(settings), on_full=keeper.noticed_full),
        recipe=recipe(settings, packer),
        limits=Limits(
            request_timeout=settings.request_timeout,
            builds=settings.max_builds,
            pack_workers=settings.pack_workers,
            layering=settings.layering,
            layer_budget=settings.layer_budget,
        ),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            # What still waits is lost: a server that ends does not wait for a bucket that hangs.
            stack.callback(marking.shutdown, wait=False, cancel_futures=True)
            stack.enter_context(workers)
            await stack.enter_async_context(builder.opened())
            if settings.storage_max_bytes:
                await stack.enter_async_context(keeper.opened())
            yield

    return create_app(
        images=builder,
        storage=storage,
        about=About(source=source.origin),
        error_status=settings.error_status,
        accel_prefix=settings.accel_prefix,
        on_pull=PullMarks(storage, time.time, marking.submit).note,
        lifespan=lifespan,
    )


def open_storage(settings: Settings) -> Storage:
    """Raises ConfigurationError where it cannot be used.

    A bucket that does not answer is no such case: pulls get a 503 until it does.
    """
    storage = connect_storage(settings)
    try:
        storage.check()
    except StorageUnavailable as error:
        log.warning("started without its bucket", error=error.message, log=error.log)
    return storage


def connect_storage(settings: Settings) -> Storage:
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
                )
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
            "layers": {"strategy": settings.layering, "budget": settings.layer_budget},
        },
    )


def open_nix(settings: Settings, environ: Mapping[str, str]) -> Nix:
    return Nix(
        environment=environ,
        nix_timeout=settings.nix_timeout,
        allowed_paths=settings.allowed_paths,
        allowed_uris=settings.allowed_uris,
        allow_ifd=settings.allow_ifd,
        nixpkgs_config=settings.config_for_nixpkgs,
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
        beside=settings.allowed_paths,
        environ=environ,
    )

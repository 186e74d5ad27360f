"""External systems, opened as the settings say: the storage, Nix, the package source."""

import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from nixery import confinement
from nixery.errors import ConfigurationError, StorageUnavailable
from nixery.nix import Evaluation, Nix
from nixery.nix.environment import for_nix
from nixery.nix.machine import Machine
from nixery.nix.store import STORE_DIR, store_root
from nixery.settings import Settings
from nixery.source import PackageSource
from nixery.source.factory import make_source
from nixery.source.further_paths import FurtherPath
from nixery.storage import Storage
from nixery.storage.bucket import PATIENT, Patience
from nixery.storage.filesystem import FilesystemStorage

log = structlog.get_logger()

BUILDER_COMMAND = "nixery-prepare-image"


def open_storage(settings: Settings, patience: Patience = PATIENT) -> Storage:
    """Raises ConfigurationError if the storage cannot be used.

    Not if a bucket does not answer: then pulls get a 503 until it does.
    """
    storage = connect_storage(settings, patience)
    try:
        storage.check()
    except StorageUnavailable as error:
        log.warning(
            "started although the bucket does not answer", error=error.message, log=error.log
        )
    return storage


def connect_storage(settings: Settings, patience: Patience = PATIENT) -> Storage:
    """Opens the storage without checking it, which would write to it.

    The bucket libraries take a second to import, so they are loaded only if needed.
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
            try:
                from nixery.storage import s3  # noqa: PLC0415 - see above
            except ModuleNotFoundError as error:
                package = (error.name or "boto3").partition(".")[0]
                raise ConfigurationError(
                    f"NIXERY_STORAGE_BACKEND=s3 needs the Python package {package}: "
                    "install the extra, nixery[s3]"
                ) from None

            secret = settings.s3_secret_key
            return s3.connect(
                s3.S3Options(
                    bucket=settings.s3_bucket,
                    region=settings.s3_region,
                    endpoint=settings.s3_endpoint,
                    access_key=settings.s3_access_key,
                    secret_key=secret.get_secret_value() if secret else "",
                    # Most services other than AWS have no name for each bucket.
                    path_style=bool(settings.s3_endpoint)
                    if settings.s3_path_style is None
                    else settings.s3_path_style,
                    link_expiration=settings.s3_link_expiration,
                ),
                patience,
            )


def disks(settings: Settings) -> list[Path]:
    """The directories whose disks need space for a build."""
    found = [store_root(settings.nix_remote) / STORE_DIR.lstrip("/")]
    if settings.storage_backend == "filesystem" and settings.storage_path:
        found.append(settings.storage_path)
    return found


def open_nix(settings: Settings, environ: Mapping[str, str]) -> Nix:
    """Raises ConfigurationError if evaluation cannot be confined as required."""
    if settings.confine:
        confinement.check()
        machine = Machine(for_nix(environ))
        nix = shutil.which("nix", path=environ.get("PATH")) or ""
        if machine.can_be_replaced((sys.executable, confinement.LAUNCHER, nix)):
            log.warning(
                "evaluation can replace the server's programs",
                reason="they are in a Nix store without a daemon: see docs/security.md",
            )
        if settings.allow_ifd and not machine.has_daemon:
            raise ConfigurationError(
                "NIXERY_ALLOW_IFD=1 builds during evaluation. Without a Nix daemon, the sandbox of "
                "these builds cannot be set up inside a confined evaluation: set "
                "NIX_REMOTE=daemon, or NIXERY_CONFINE=0, see docs/security.md"
            )
    else:
        log.warning("evaluation is not confined", setting="NIXERY_CONFINE=0")
    return Nix(
        environment=environ,
        nix_timeout=settings.nix_timeout,
        evaluation=Evaluation(
            allowed_paths=settings.allowed_paths,
            overlays=settings.overlays,
            search_path=settings.nix_path,
            allowed_uris=settings.allowed_uris,
            allow_ifd=settings.allow_ifd,
            config=settings.config_for_nixpkgs,
            memory=settings.evaluation_memory or None,
            timeout=settings.evaluation_timeout,
            confined=settings.confine,
        ),
        command=BUILDER_COMMAND,
    )


def further_paths(settings: Settings) -> tuple[FurtherPath, ...]:
    """What evaluation may read in addition to the package set."""
    return (
        *(FurtherPath(path, "NIXERY_ALLOWED_PATHS") for path in settings.allowed_paths),
        *(FurtherPath(path, "NIXERY_OVERLAYS", "overlay") for path in settings.overlays),
        *(FurtherPath(path, "NIXERY_NIX_PATH", name) for name, path in settings.nix_path),
    )


def open_source(settings: Settings, environ: Mapping[str, str]) -> PackageSource:
    """Raises ConfigurationError if the source cannot be used."""
    return make_source(
        channel=settings.channel,
        channel_url=settings.channel_url,
        repo=settings.pkgs_repo,
        path=settings.pkgs_path,
        allowed_refs=settings.git_allowed_refs,
        tags=settings.tags,
        state_dir=settings.state_dir,
        # Files that an evaluation reads must not change, also where requests have no limit.
        request_timeout=max(settings.request_timeout, settings.evaluation_timeout),
        resolve_ttl=settings.resolve_ttl,
        kept_trees=settings.source_trees,
        clock=time.monotonic,
        queue=settings.queue,
        beside=further_paths(settings),
        environ=environ,
    )

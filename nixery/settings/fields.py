"""Every setting: its name, type and default.

An alias is the name of the environment variable. docs/configuration.md lists all of them; a test
compares the page with this file.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from nixery.errors import ErrorStatus
from nixery.layers import Strategy
from nixery.logs.setup import LogLevel
from nixery.oci import LayerCompression
from nixery.settings.values import (
    Bytes,
    Duration,
    Memory,
    NixConfig,
    NixSeconds,
    Place,
    Places,
    SearchPath,
    Seconds,
    Tags,
    Words,
)


class Settings(BaseModel):
    """The operator's configuration, complete and validated."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # network
    port: int = Field(8080, alias="PORT", ge=0, le=65535)
    listen: str = Field("", alias="NIXERY_LISTEN")

    # package source: exactly one of the first three
    channel: str = Field("", alias="NIXERY_CHANNEL")
    pkgs_repo: str = Field("", alias="NIXERY_PKGS_REPO")
    pkgs_path: str = Field("", alias="NIXERY_PKGS_PATH")
    channel_url: str = Field("https://github.com/NixOS/nixpkgs", alias="NIXERY_CHANNEL_URL")
    git_allowed_refs: Words = Field(
        ("refs/heads/*", "refs/tags/*"), alias="NIXERY_GIT_ALLOWED_REFS", min_length=1
    )
    resolve_ttl: float = Field(60, alias="NIXERY_RESOLVE_TTL", ge=0)
    source_trees: int = Field(2, alias="NIXERY_SOURCE_TREES", gt=0)
    tags: Tags = Field(("latest",), alias="NIXERY_TAGS", min_length=1)

    # evaluation
    allowed_paths: Places = Field((), alias="NIXERY_ALLOWED_PATHS")
    overlays: Places = Field((), alias="NIXERY_OVERLAYS")
    nix_path: SearchPath = Field((), alias="NIXERY_NIX_PATH")
    allowed_uris: Words = Field((), alias="NIXERY_ALLOWED_URIS")
    allow_ifd: bool = Field(default=False, alias="NIXERY_ALLOW_IFD")
    confine: bool = Field(default=True, alias="NIXERY_CONFINE")
    evaluation_memory: Memory = Field("2G", alias="NIXERY_EVALUATION_MEMORY", validate_default=True)
    evaluation_timeout: Seconds = Field(60, alias="NIXERY_EVALUATION_TIMEOUT")
    max_dots: int = Field(4, alias="NIXERY_MAX_DOTS", ge=0)
    nixpkgs_config: NixConfig = Field({}, alias="NIXERY_NIXPKGS_CONFIG")
    nixpkgs_allow_unfree: bool = Field(default=False, alias="NIXPKGS_ALLOW_UNFREE")
    nixpkgs_allow_broken: bool = Field(default=False, alias="NIXPKGS_ALLOW_BROKEN")
    nixpkgs_allow_insecure: bool = Field(default=False, alias="NIXPKGS_ALLOW_INSECURE")
    nixpkgs_allow_unsupported_system: bool = Field(
        default=False, alias="NIXPKGS_ALLOW_UNSUPPORTED_SYSTEM"
    )

    # time limits
    nix_timeout: NixSeconds = Field(60, alias="NIX_TIMEOUT")
    request_timeout: Seconds = Field(280, alias="NIXERY_REQUEST_TIMEOUT")

    # storage
    storage_backend: Literal["filesystem", "gcs", "s3"] = Field(alias="NIXERY_STORAGE_BACKEND")
    storage_path: Place | None = Field(None, alias="STORAGE_PATH")
    accel_prefix: str = Field("", alias="NIXERY_ACCEL_PREFIX", pattern="^(/([^?#]*/)?)?$")
    gcs_bucket: str = Field("", alias="GCS_BUCKET")
    gcs_credentials: Place | None = Field(None, alias="GOOGLE_APPLICATION_CREDENTIALS")
    gcs_public: bool = Field(default=False, alias="NIXERY_GCS_PUBLIC")
    gcs_emulator: str = Field("", alias="STORAGE_EMULATOR_HOST")
    s3_bucket: str = Field("", alias="S3_BUCKET")
    s3_endpoint: str = Field("", alias="S3_ENDPOINT")
    s3_region: str = Field("us-east-1", alias="AWS_REGION")
    s3_access_key: str = Field("", alias="S3_ACCESS_KEY")
    s3_secret_key: SecretStr | None = Field(None, alias="S3_SECRET_KEY")
    s3_path_style: bool | None = Field(None, alias="S3_PATH_STYLE")
    s3_link_expiration: Duration = Field(300, alias="S3_LINK_EXPIRATION", ge=0, le=604800)
    storage_max_bytes: Bytes = Field(0, alias="NIXERY_STORAGE_MAX_BYTES")
    state_dir: Place = Field(alias="NIXERY_STATE_DIR")
    roots_dir: Place = Field(alias="NIXERY_ROOTS_DIR")
    nix_remote: str = Field("", alias="NIX_REMOTE")

    # building images
    max_builds: int = Field(alias="NIXERY_MAX_BUILDS", gt=0)
    queue: int = Field(200, alias="NIXERY_QUEUE", ge=1)
    pack_workers: int = Field(alias="NIXERY_PACK_WORKERS", gt=0)
    layering: Strategy = Field("units", alias="NIXERY_LAYERING")
    layer_budget: int = Field(94, alias="NIXERY_LAYER_BUDGET", ge=1, le=120)
    popularity_url: str = Field("", alias="NIX_POPULARITY_URL")
    compression: LayerCompression = Field("gzip", alias="NIXERY_COMPRESSION")
    compression_level: int | None = Field(None, alias="NIXERY_COMPRESSION_LEVEL")

    # errors
    error_status: ErrorStatus = Field("friendly", alias="NIXERY_ERROR_STATUS")

    # logging
    log_level: LogLevel = Field("info", alias="NIXERY_LOG_LEVEL")

    @property
    def has_storage(self) -> bool:
        return self.storage_backend != "filesystem" or self.storage_path is not None

    @property
    def config_for_nixpkgs(self) -> dict[str, Any]:
        """NIXERY_NIXPKGS_CONFIG combined with the NIXPKGS_ALLOW_* variables.

        The package set cannot read these variables itself: restricted evaluation hides the
        environment.
        """
        allowed = {
            "allowUnfree": self.nixpkgs_allow_unfree,
            "allowBroken": self.nixpkgs_allow_broken,
            "allowInsecure": self.nixpkgs_allow_insecure,
            "allowUnsupportedSystem": self.nixpkgs_allow_unsupported_system,
        }
        return self.nixpkgs_config | {name: True for name, on in allowed.items() if on}

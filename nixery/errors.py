"""Errors, and the HTTP status and registry code of each.

    NixeryError                     500 UNKNOWN            internal error
    ├── ConfigurationError          (no response: the program exits with 2)
    ├── NameInvalid                 400 NAME_INVALID
    ├── DigestInvalid               400 DIGEST_INVALID
    ├── ManifestUnknown             404 MANIFEST_UNKNOWN
    │   ├── TagUnknown              404
    │   ├── PackageNotFound         404
    │   └── PreparationFailed       404, strict: 502
    │       ├── EvaluationFailed    404, strict: 502
    │       ├── BuildFailed         404, strict: 502
    │       ├── PackingFailed       404, strict: 502
    │       └── TimedOut            404, strict: 504
    ├── Denied                      403 DENIED
    ├── FormatUnavailable           406 UNSUPPORTED
    ├── BlobUnknown                 404 BLOB_UNKNOWN
    ├── TooBusy                     429 TOOMANYREQUESTS, with Retry-After
    ├── ShuttingDown                503 UNAVAILABLE, with Retry-After
    ├── SourceUnavailable           503 UNAVAILABLE, with Retry-After
    ├── StorageUnavailable          503 UNAVAILABLE, with Retry-After
    ├── DerivationCollected         503 UNAVAILABLE, with Retry-After
    ├── StoreDamaged                500 UNKNOWN
    └── StorageFull                 507 UNKNOWN

A message is one line for the person who typed ``docker pull``. docker, podman, skopeo and crane
print the message of a 4xx and hide that of a 5xx. So a failed build is a 404, unless the operator
set ``NIXERY_ERROR_STATUS=strict``.

Codes: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

ErrorStatus = Literal["friendly", "strict"]


class NixeryError(Exception):
    """An internal error. The operator finds it in the log by its request id."""

    status: ClassVar[int] = 500
    strict_status: ClassVar[int | None] = None
    code: ClassVar[str] = "UNKNOWN"
    retry_after: ClassVar[int | None] = None
    """Value of the Retry-After header, in seconds."""
    remembered: ClassVar[float | None] = None
    """Seconds for which the same request gets the same error without another attempt."""

    def __init__(self, message: str, *, cause: str | None = None, log: Sequence[str] = ()) -> None:
        """``message``: one line. ``cause``: a word for programs. ``log``: further lines."""
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.log = tuple(log)

    def http_status(self, mode: ErrorStatus) -> int:
        if mode == "strict" and self.strict_status is not None:
            return self.strict_status
        return self.status

    def detail(self) -> dict[str, object]:
        """The ``detail`` member of the registry's error JSON."""
        detail: dict[str, object] = {}
        if self.cause:
            detail["cause"] = self.cause
        if self.log:
            detail["log"] = list(self.log)
        return detail


class ConfigurationError(NixeryError):
    """The settings are contradictory, or name something that does not exist. For the operator."""


class NameInvalid(NixeryError):
    """The image name or tag is invalid; nothing was looked up."""

    status = 400
    code = "NAME_INVALID"


class DigestInvalid(NixeryError):
    status = 400
    code = "DIGEST_INVALID"


class ManifestUnknown(NixeryError):
    """The image does not exist."""

    status = 404
    code = "MANIFEST_UNKNOWN"


class TagUnknown(ManifestUnknown):
    """The tag is not a revision of the package source, or clients may not use it."""


class PackageNotFound(ManifestUnknown):
    """The package set has no such attribute. The message suggests similar ones."""

    remembered = 60.0


class PreparationFailed(ManifestUnknown):
    """Nix could not prepare the packages. The log holds the last lines of its output."""

    strict_status = 502
    remembered = 60.0


class EvaluationFailed(PreparationFailed):
    """The code of the package set failed. For its maintainer."""


class BuildFailed(PreparationFailed):
    """A builder failed, a download failed, or a hash differs."""


class PackingFailed(PreparationFailed):
    """A package contains what an image cannot hold. For its maintainer."""


class TimedOut(PreparationFailed):
    """NIX_TIMEOUT or NIXERY_REQUEST_TIMEOUT passed; another attempt may succeed."""

    strict_status = 504
    remembered = 30.0


class Denied(NixeryError):
    """The package set refuses the package: unfree, broken, insecure, or unsupported system."""

    status = 403
    code = "DENIED"
    remembered = 60.0


class FormatUnavailable(NixeryError):
    """The image has no manifest in a format that the client accepts."""

    status = 406
    code = "UNSUPPORTED"


class BlobUnknown(NixeryError):
    status = 404
    code = "BLOB_UNKNOWN"


class TooBusy(NixeryError):
    """Too many images are being built; the client should retry."""

    status = 429
    code = "TOOMANYREQUESTS"
    retry_after = 10


class ShuttingDown(NixeryError):
    """The server is shutting down and cancelled the build. Another server answers the retry."""

    status = 503
    code = "UNAVAILABLE"
    retry_after = 1


class SourceUnavailable(NixeryError):
    """The repository of the package source does not answer."""

    status = 503
    code = "UNAVAILABLE"
    retry_after = 10


class DerivationCollected(NixeryError):
    """Nix's garbage collector removed a derivation before it was built.

    Evaluating again restores it, so clients see this only if it happened twice in a row.
    """

    status = 503
    code = "UNAVAILABLE"
    retry_after = 1


class StoreDamaged(NixeryError):
    """The Nix store lacks a path that Nix calls valid, or a file changed while it was packed.

    For the operator, who can run ``nix-store --verify --check-contents``.
    """


class StorageUnavailable(NixeryError):
    """The bucket does not answer after retries, or the disk is broken or read-only.

    Locally cached images are still served.
    """

    status = 503
    code = "UNAVAILABLE"
    retry_after = 10


class StorageFull(NixeryError):
    """The disk or bucket is full. Stored images are still served."""

    status = 507

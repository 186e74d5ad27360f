"""What can go wrong, and what the client is told.

    NixeryError                     500 UNKNOWN            our own fault
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

A message is one line for the person who typed ``docker pull``: docker, podman, skopeo and crane
print the message of a 4xx and hide that of a 5xx. This is why a failed build is a 404, unless
the operator asked for ``NIXERY_ERROR_STATUS=strict``.

Codes: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

ErrorStatus = Literal["friendly", "strict"]


class NixeryError(Exception):
    """Something of our own went wrong; read by the operator, with a request id to find it."""

    status: ClassVar[int] = 500
    strict_status: ClassVar[int | None] = None
    code: ClassVar[str] = "UNKNOWN"
    retry_after: ClassVar[int | None] = None
    """Seconds after which asking again makes sense; becomes the Retry-After header."""
    remembered: ClassVar[float | None] = None
    """For how many seconds the same request gets the same answer without another attempt."""

    def __init__(self, message: str, *, cause: str | None = None, log: Sequence[str] = ()) -> None:
        """``message``: one line. ``cause``: a word for machines. ``log``: further lines."""
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
    """The settings contradict each other or name what is not there; read by the operator."""


class NameInvalid(NixeryError):
    """The image name or tag breaks the grammar; nothing was looked up."""

    status = 400
    code = "NAME_INVALID"


class DigestInvalid(NixeryError):
    status = 400
    code = "DIGEST_INVALID"


class ManifestUnknown(NixeryError):
    """There is no such image."""

    status = 404
    code = "MANIFEST_UNKNOWN"


class TagUnknown(ManifestUnknown):
    """The tag is no revision of the package source that a client may name."""


class PackageNotFound(ManifestUnknown):
    """The package set has no such attribute; the message suggests similar ones."""

    remembered = 60.0


class PreparationFailed(ManifestUnknown):
    """Nix could not make the packages; the log holds its last lines."""

    strict_status = 502
    remembered = 60.0


class EvaluationFailed(PreparationFailed):
    """The package set's own code failed; read by whoever maintains the set."""


class BuildFailed(PreparationFailed):
    """A builder failed, a download failed, or a hash differs."""


class PackingFailed(PreparationFailed):
    """A package holds what no image can; read by whoever maintains it."""


class TimedOut(PreparationFailed):
    """NIX_TIMEOUT or NIXERY_REQUEST_TIMEOUT passed; asking again may succeed."""

    strict_status = 504
    remembered = 30.0


class Denied(NixeryError):
    """The package exists, and its set refuses it: unfree, broken, insecure, wrong system."""

    status = 403
    code = "DENIED"
    remembered = 60.0


class FormatUnavailable(NixeryError):
    """The image has no manifest in a format that the client reads."""

    status = 406
    code = "UNSUPPORTED"


class BlobUnknown(NixeryError):
    status = 404
    code = "BLOB_UNKNOWN"


class TooBusy(NixeryError):
    """Too many images are being built; the client should come back."""

    status = 429
    code = "TOOMANYREQUESTS"
    retry_after = 10


class ShuttingDown(NixeryError):
    """The server ends, and with it the build that the client waits for; another one will answer."""

    status = 503
    code = "UNAVAILABLE"
    retry_after = 1


class SourceUnavailable(NixeryError):
    """The repository of the package source does not answer."""

    status = 503
    code = "UNAVAILABLE"
    retry_after = 10


class DerivationCollected(NixeryError):
    """Nix's garbage collector took a derivation before it was built; evaluating writes it again.

    Clients see it where that happened twice in a row.
    """

    status = 503
    code = "UNAVAILABLE"
    retry_after = 1


class StoreDamaged(NixeryError):
    """The Nix store lacks what Nix called valid, or a file changed while it was packed.

    Read by the operator, who can run ``nix-store --verify --check-contents``.
    """


class StorageUnavailable(NixeryError):
    """The bucket does not answer, also after retries, or the disk is broken or read-only.

    What is cached locally is still served.
    """

    status = 503
    code = "UNAVAILABLE"
    retry_after = 10


class StorageFull(NixeryError):
    """The disk or bucket takes no more; pulls of what is stored go on."""

    status = 507

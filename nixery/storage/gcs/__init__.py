"""Storage in a bucket of Google Cloud Storage.

An object's version is its generation (another one with every content) and metageneration
(another one whenever it is renewed); every condition is checked by the bucket itself. Requests
are repeated until a deadline; what then still fails is StorageUnavailable.

Clients are sent to the bucket for blobs, with an address that is signed for five minutes, or the
public one. Where nothing can sign for the credentials, blobs are streamed through this server.
"""

from pathlib import Path

from nixery.storage.bucket import PATIENT, Patience
from nixery.storage.gcs.client import open_bucket
from nixery.storage.gcs.storage import GcsStorage

__all__ = ["GcsStorage", "connect"]


def connect(
    bucket: str,
    *,
    credentials_file: Path | None = None,
    public: bool = False,
    emulator: str = "",
    patience: Patience = PATIENT,
) -> GcsStorage:
    """``bucket`` is GCS_BUCKET. Nothing is asked of it yet: see ``check``.

    Without ``credentials_file`` they are searched where Google's programs look: gcloud's own
    file, then the machine's metadata server. ``emulator``: the address of a server that takes
    the place of Google's; without a file it gets no credentials.

    Raises ConfigurationError where there are no credentials, or none that can be read.
    """
    opened = open_bucket(
        bucket, credentials_file, public=public, emulator=emulator, patience=patience
    )
    return GcsStorage(opened, patience)

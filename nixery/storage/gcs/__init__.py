"""Storage in a bucket of Google Cloud Storage.

An object's version is its generation (new with every content) and metageneration (new with every
renewal). The bucket itself checks every condition. Requests are repeated until a deadline; a
failure after that is StorageUnavailable.

Clients are redirected to the bucket for blobs, with a URL that is signed for five minutes, or a
public one. If the credentials cannot sign, blobs are streamed through this server.
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
    """``bucket``: GCS_BUCKET. Makes no request to it: see ``check``.

    Without ``credentials_file``, credentials come from where Google's programs look: gcloud's file,
    then the metadata server. ``emulator``: the address of an emulator, which gets no credentials
    unless a file is given.

    Raises ConfigurationError if credentials are missing or cannot be read.
    """
    opened = open_bucket(
        bucket, credentials_file, public=public, emulator=emulator, patience=patience
    )
    return GcsStorage(opened, patience)

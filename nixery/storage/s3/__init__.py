"""Storage in a bucket of AWS S3, or of another service with this protocol.

An object's version is its ETag, which identifies the content, and a random word in its metadata,
which identifies the write: a renewed object keeps its ETag. The service checks conditions if it can
(``If-Match``, ``If-None-Match: *``); ``check`` detects this, and ``conditional`` has the result.

Requests are repeated until a deadline; a failure after that is StorageUnavailable. Clients are
redirected to the bucket for blobs, with a URL that is signed for some minutes.
"""

from nixery.storage.bucket import PATIENT, Patience
from nixery.storage.s3.client import S3Options, open_client
from nixery.storage.s3.storage import S3Storage

__all__ = ["S3Options", "S3Storage", "connect"]


def connect(options: S3Options, patience: Patience = PATIENT) -> S3Storage:
    """Makes no request to the bucket: see ``check``.

    Raises ConfigurationError if credentials are missing, or the endpoint is not a URL.
    """
    client = open_client(options, patience)
    return S3Storage(client, options.bucket, options.link_expiration, patience)

"""Storage in a bucket of AWS S3, or of another service that speaks its protocol.

An object's ETag says what it holds, and a word in its metadata which write it was: a renewed
object has the ETag that it had. Conditions are checked by the service itself where it can
(``If-Match``, ``If-None-Match: *``); ``check`` finds out, and ``conditional`` says so.

Requests are repeated until a deadline; what then still fails is StorageUnavailable. Clients are
sent to the bucket for blobs, with an address that is signed for some minutes.
"""

from nixery.storage.bucket import PATIENT, Patience
from nixery.storage.s3.client import S3Options, open_client
from nixery.storage.s3.storage import S3Storage

__all__ = ["S3Options", "S3Storage", "connect"]


def connect(options: S3Options, patience: Patience = PATIENT) -> S3Storage:
    """Nothing is asked of the bucket yet: see ``check``.

    Raises ConfigurationError where there are no credentials, or the endpoint is no address.
    """
    client = open_client(options, patience)
    return S3Storage(client, options.bucket, options.link_expiration, patience)

"""The S3 client, created from the settings."""

from dataclasses import dataclass
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from nixery.errors import ConfigurationError
from nixery.storage.bucket import POOL_SIZE, Patience


@dataclass(frozen=True, slots=True)
class S3Options:
    """The S3_* settings and AWS_REGION."""

    bucket: str
    region: str = "us-east-1"
    endpoint: str = ""
    """The URL of a service other than AWS."""
    access_key: str = ""
    secret_key: str = ""
    """If both are empty, credentials come from where AWS's programs look (environment, files,
    roles)."""
    path_style: bool = False
    """``endpoint/bucket/key`` instead of ``bucket.endpoint/key``."""
    link_expiration: int = 300
    """Seconds that a signed URL is valid; 0: blobs are streamed through this server."""


# botocore creates the methods of its clients at run time, so there is no type to name.
Client = Any


def open_client(options: S3Options, patience: Patience) -> Client:
    """A thread-safe client. Raises ConfigurationError."""
    if not options.access_key.isprintable():
        # Secret files often end in a line break, which a header cannot contain.
        raise ConfigurationError("S3_ACCESS_KEY contains a line break: give the key alone")
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if options.path_style else "virtual"},
        connect_timeout=patience.connect,
        read_timeout=patience.stall,
        # One attempt: the callers repeat until a deadline.
        retries={"total_max_attempts": 1},
        max_pool_connections=POOL_SIZE,
        # Many services do not support checksums in trailers; all support Content-MD5.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        session = Session(
            aws_access_key_id=options.access_key or None,
            aws_secret_access_key=options.secret_key or None,
        )
        if session.get_credentials() is None:
            raise ConfigurationError(
                "no credentials for S3_BUCKET: set S3_ACCESS_KEY and S3_SECRET_KEY, or one of the "
                "sources of AWS's programs"
            )
        return session.client(
            "s3",
            region_name=options.region,
            endpoint_url=options.endpoint or None,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"S3_BUCKET={options.bucket}: {error}") from None

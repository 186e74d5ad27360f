"""From the settings to a client that can ask."""

from dataclasses import dataclass
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from nixery.errors import ConfigurationError
from nixery.storage.bucket import POOL_SIZE, Patience


@dataclass(frozen=True, slots=True)
class S3Options:
    """What the S3_* settings and AWS_REGION say."""

    bucket: str
    region: str = "us-east-1"
    endpoint: str = ""
    """The address of a service that is not AWS's own."""
    access_key: str = ""
    secret_key: str = ""
    """Without both, they are searched where AWS's programs look (environment, files, roles)."""
    path_style: bool = False
    """``endpoint/bucket/key`` instead of ``bucket.endpoint/key``."""
    link_expiration: int = 300
    """Seconds that a signed address holds; 0: blobs are streamed through this server."""


# botocore makes its clients' methods at run time, so a client has no type that could be named.
Client = Any


def open_client(options: S3Options, patience: Patience) -> Client:
    """A client that can be used from many threads. Raises ConfigurationError."""
    if not options.access_key.isprintable():
        # As files of secrets often end. It stands in a header, so nothing could be sent.
        raise ConfigurationError("S3_ACCESS_KEY holds a line break: give the key alone")
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if options.path_style else "virtual"},
        connect_timeout=patience.connect,
        read_timeout=patience.stall,
        # One attempt: repeating until a deadline is done around the calls.
        retries={"total_max_attempts": 1},
        max_pool_connections=POOL_SIZE,
        # Checksums in trailers are unknown to many services; Content-MD5 is known to all.
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
                "no credentials for S3_BUCKET: S3_ACCESS_KEY and S3_SECRET_KEY are not set, and "
                "AWS's own places hold none"
            )
        return session.client(
            "s3",
            region_name=options.region,
            endpoint_url=options.endpoint or None,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"S3_BUCKET={options.bucket}: {error}") from None

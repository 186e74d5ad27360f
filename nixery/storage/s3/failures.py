"""Errors of S3, as errors of nixery.errors; which requests to repeat."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointProviderError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ResponseStreamingError,
)
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential
from urllib3.exceptions import HTTPError

from nixery.errors import ConfigurationError, NixeryError, StorageFull, StorageUnavailable
from nixery.storage.bucket import Patience

T = TypeVar("T")

S3_ERRORS = (ClientError, BotoCoreError, HTTPError)
"""Exceptions of boto3 for failed requests."""

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
REPEATABLE = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        "InternalError",
        "ServiceUnavailable",
        "ThrottlingException",
        "BadDigest",  # the data was corrupted on the way
        "ConditionalRequestConflict",  # two writes at once; AWS says to repeat
    }
)
REPEATABLE_STATUS = frozenset({408, 429, 500, 502, 503, 504})
# Ceph's, and MinIO's two.
FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"})
GONE = frozenset({"NoSuchKey", "NotFound", "404"})
UNKNOWN_CONDITION = frozenset({"NotImplemented", "InvalidArgument", "InvalidRequest"})


class Asking:
    """Calls the bucket: repeats what may be repeated, and translates remaining errors."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience

    def __call__(self, call: Callable[..., T], **parameters: Any) -> T:  # noqa: ANN401 - as in boto3
        """Raises S3Refused, StorageFull or StorageUnavailable."""
        # Each pause is random, below a bound that doubles.
        retrying = Retrying(
            retry=retry_if_exception(is_repeatable),
            stop=stop_after_delay(self._patience.deadline),
            wait=wait_random_exponential(self._patience.pause, max=8),
            reraise=True,
        )
        try:
            return retrying(call, **parameters)
        except S3_ERRORS as error:
            raise translated(error) from error


class S3Refused(StorageUnavailable):
    """The service answered with an error that repeating does not solve; ``s3_code`` is S3's."""

    def __init__(self, code: str, status: int, text: str) -> None:
        super().__init__("the request to the bucket failed", log=[f"{code}: {text}"])
        self.s3_code = code
        self.http = status

    @property
    def is_gone(self) -> bool:
        return self.s3_code in GONE

    @property
    def is_condition(self) -> bool:
        """Whether a condition of the request failed."""
        return self.http == HTTPStatus.PRECONDITION_FAILED

    @property
    def is_unknown_condition(self) -> bool:
        return self.http == HTTPStatus.NOT_IMPLEMENTED or self.s3_code in UNKNOWN_CONDITION


def is_repeatable(error: BaseException) -> bool:
    if isinstance(error, ClientError):
        code, status, _ = _parts(error)
        return code not in FULL and (code in REPEATABLE or status in REPEATABLE_STATUS)
    return isinstance(
        error, HTTPClientError | IncompleteReadError | ResponseStreamingError | HTTPError
    )


def translated(error: BaseException) -> NixeryError:
    if not isinstance(error, ClientError):
        return StorageUnavailable("the bucket does not answer", log=[str(error)[:300]])
    code, status, text = _parts(error)
    if code in FULL or status == HTTPStatus.INSUFFICIENT_STORAGE:
        return StorageFull("the bucket is full; stored images can still be pulled")
    if is_repeatable(error):
        return StorageUnavailable("the bucket does not answer", log=[f"{code}: {text}"])
    return S3Refused(code, status, text)


def configuration(error: NixeryError, bucket: str) -> NixeryError:
    """A ConfigurationError if the operator must change something; otherwise the error itself."""
    match error.__cause__:
        case NoCredentialsError():
            return ConfigurationError(f"S3_BUCKET={bucket}: no credentials found")
        case ParamValidationError() | EndpointProviderError() as cause:
            # An invalid bucket name or endpoint: nothing was sent.
            problem = " ".join(str(cause).split())[:300]
            return ConfigurationError(f"S3_BUCKET={bucket}: {problem}")
    if not isinstance(error, S3Refused):
        return error
    match error.s3_code:
        case "NoSuchBucket" | "404" | "NotFound":
            problem = "this bucket does not exist"
        case "PermanentRedirect" | "301" | "AuthorizationHeaderMalformed" | "IllegalLocation":
            problem = f"it is not in the region that AWS_REGION names ({error.log[0]})"
        case _:
            problem = f"access denied: {error.log[0]}"
    return ConfigurationError(f"S3_BUCKET={bucket}: {problem}")


def _parts(error: ClientError) -> tuple[str, int, str]:
    """The code, the HTTP status, and the text in one line."""
    reported = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = " ".join(str(reported.get("Message", error)).split())[:300]
    return str(reported.get("Code", "")), int(status), text

"""Errors of Google Cloud Storage, as errors of nixery.errors; which requests to repeat."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY
from requests import RequestException
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import HTTPError, LocationParseError

from nixery.errors import ConfigurationError, NixeryError, StorageFull, StorageUnavailable
from nixery.storage.bucket import Patience

GCS_ERRORS = (
    RetryError,
    GoogleAPICallError,
    GoogleAuthError,
    InvalidResponse,
    DataCorruption,
    RequestException,
    HTTPError,
    ConnectionError,
)
"""Exceptions of google-cloud-storage for failed requests."""

NO_ADDRESS = (MissingSchema, InvalidSchema, InvalidURL, LocationParseError)
"""Exceptions of requests and urllib3 before anything is sent."""

# https://cloud.google.com/storage/docs/json_api/v1/status-codes: reasons of a 403
QUOTA = ("quotaExceeded", "dailyLimitExceeded")


def retries(patience: Patience) -> Retry:
    """Policy for repeating idempotent requests: after 408, 429, 5xx, or a lost connection.

    Each pause is random, below a bound that doubles.
    """
    retry: Retry = DEFAULT_RETRY.with_delay(initial=patience.pause, maximum=8, multiplier=2)
    return retry.with_timeout(patience.deadline)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns an error that remains after the retries into StorageUnavailable or StorageFull."""
    try:
        yield
    except GCS_ERRORS as error:
        raise translated(error) from error


def translated(error: BaseException) -> NixeryError:
    cause = cause_of(error)
    if status_of(cause) == HTTPStatus.FORBIDDEN and reason_of(cause) in QUOTA:
        return StorageFull("the bucket's quota is exhausted; stored images can still be pulled")
    return StorageUnavailable("the request to the bucket failed", log=[one_line(cause)])


def configuration(error: BaseException, bucket: str) -> ConfigurationError | None:
    """A ConfigurationError if the operator must change something; None if the error may pass."""
    cause = cause_of(error)
    match status_of(cause):
        case HTTPStatus.NOT_FOUND:
            problem = "this bucket does not exist"
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN | HTTPStatus.BAD_REQUEST:
            problem = f"access denied: {one_line(cause)}"
        case _ if isinstance(cause, RefreshError) and not cause.retryable:
            problem = f"the credentials are rejected: {one_line(cause)}"
        # The second: the credentials file names an invalid token URL.
        case _ if isinstance(cause, NO_ADDRESS) or isinstance(cause.__cause__, NO_ADDRESS):
            problem = f"no request can be sent: {one_line(cause)}"
        case _:
            return None
    return ConfigurationError(f"GCS_BUCKET={bucket}: {problem}")


def cause_of(error: BaseException) -> BaseException:
    """The last error before the deadline."""
    while isinstance(error, RetryError) and error.cause is not None:
        error = error.cause
    return error


def status_of(error: BaseException) -> int | None:
    if isinstance(error, GoogleAPICallError):
        return error.code
    if isinstance(error, InvalidResponse):
        return int(error.response.status_code)
    return None


def reason_of(error: BaseException) -> str:
    """The API's reason, or an empty string."""
    errors = _details(error).get("errors") or [{}]
    return str(errors[0].get("reason", ""))


def one_line(error: BaseException) -> str:
    """The text in one line, shortened for the log."""
    text = str(_details(error).get("message") or error)
    return " ".join(text.split())[:300]


def _details(error: BaseException) -> dict[str, Any]:
    """The error's JSON: https://cloud.google.com/storage/docs/json_api/v1/status-codes."""
    if status_of(error) is None:
        return {}
    with suppress(AttributeError, KeyError, TypeError, ValueError):  # not a response of the API
        return dict(error.response.json()["error"])  # type: ignore[attr-defined] # see suppress
    return {}

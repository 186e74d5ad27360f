"""What the bucket's failures mean to a client, to the operator, and to a retry."""

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
"""All that google-cloud-storage raises when a request does not go well."""

NO_ADDRESS = (MissingSchema, InvalidSchema, InvalidURL, LocationParseError)
"""What requests and urllib3 raise before they send anything."""

# https://cloud.google.com/storage/docs/json_api/v1/status-codes: reasons of a 403
QUOTA = ("quotaExceeded", "dailyLimitExceeded")


def retries(patience: Patience) -> Retry:
    """How a request is repeated where that is safe: 408, 429, 5xx, a lost connection.

    Each pause is drawn at random below a bound that doubles.
    """
    retry: Retry = DEFAULT_RETRY.with_delay(initial=patience.pause, maximum=8, multiplier=2)
    return retry.with_timeout(patience.deadline)


@contextmanager
def failures_are_told() -> Iterator[None]:
    """Makes StorageUnavailable or StorageFull of what is left after the retries."""
    try:
        yield
    except GCS_ERRORS as error:
        raise told(error) from error


def told(error: BaseException) -> NixeryError:
    cause = cause_of(error)
    if status_of(cause) == HTTPStatus.FORBIDDEN and reason_of(cause) in QUOTA:
        return StorageFull("the bucket's quota is used up; images that are stored can be pulled")
    return StorageUnavailable("the bucket does not answer as it should", log=[one_line(cause)])


def configuration(error: BaseException, bucket: str) -> ConfigurationError | None:
    """What the operator must change where the bucket refuses; None where time may mend it."""
    cause = cause_of(error)
    match status_of(cause):
        case HTTPStatus.NOT_FOUND:
            problem = "there is no such bucket"
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN | HTTPStatus.BAD_REQUEST:
            problem = f"the bucket refuses: {one_line(cause)}"
        case _ if isinstance(cause, RefreshError) and not cause.retryable:
            problem = f"the credentials are refused: {one_line(cause)}"
        # The second: where the address of the tokens is none, which a file of credentials holds.
        case _ if isinstance(cause, NO_ADDRESS) or isinstance(cause.__cause__, NO_ADDRESS):
            problem = f"it cannot be asked at all: {one_line(cause)}"
        case _:
            return None
    return ConfigurationError(f"GCS_BUCKET={bucket}: {problem}")


def cause_of(error: BaseException) -> BaseException:
    """The last failure of those that were retried."""
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
    """The API's word for it, or nothing."""
    errors = _details(error).get("errors") or [{}]
    return str(errors[0].get("reason", ""))


def one_line(error: BaseException) -> str:
    """The text, shortened to what fits a log line."""
    text = str(_details(error).get("message") or error)
    return " ".join(text.split())[:300]


def _details(error: BaseException) -> dict[str, Any]:
    """What the API says of an error: https://cloud.google.com/storage/docs/json_api/v1/status-codes."""
    if status_of(error) is None:
        return {}
    with suppress(AttributeError, KeyError, TypeError, ValueError):  # no answer of the API's own
        return dict(error.response.json()["error"])  # type: ignore[attr-defined] # see suppress
    return {}

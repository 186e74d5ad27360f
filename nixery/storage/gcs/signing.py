"""URLs with which clients fetch a blob from the bucket."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import structlog
from google.auth.credentials import Credentials, Signing
from google.auth.exceptions import GoogleAuthError
from google.auth.iam import Signer
from google.auth.transport import Request
from google.cloud.storage import Bucket
from google.oauth2.service_account import Credentials as KeyCredentials
from requests import RequestException

log = structlog.get_logger()

LINK_SECONDS = 300
"""Seconds that a signed URL is valid. Clients follow a redirect at once."""
REUSE_SECONDS = 180
"""Seconds that a URL signed by IAM is reused: the rest of its validity is for the client."""
RETRY_SECONDS = 60
"""Seconds until the next attempt after IAM refused to sign."""


class Links(Protocol):
    def link(self, key: str) -> str | None:
        """The URL of an object, or None if it must be streamed."""


class PublicLinks:
    """Public URLs, for a bucket that everybody may read."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def link(self, key: str) -> str | None:
        return str(self._bucket.blob(key).public_url)


class SignedLinks:
    """Signs with a private key of this process: no request, one millisecond."""

    def __init__(self, bucket: Bucket, key: Signing) -> None:
        self._bucket = bucket
        self._key = key

    def link(self, key: str) -> str | None:
        # https://cloud.google.com/storage/docs/access-control/signed-urls
        url = self._bucket.blob(key).generate_signed_url(
            version="v4",
            expiration=timedelta(seconds=LINK_SECONDS),
            method="GET",
            credentials=self._key,
        )
        return str(url)


class RemoteLinks:
    """Signs with Google's IAM, for a service account without a local key (workload identity).

    Each signature is a request, so a URL is reused for REUSE_SECONDS.
    """

    def __init__(self, signed: SignedLinks, clock: Callable[[], float] = time.monotonic) -> None:
        self._signed = signed
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._refused_until = float("-inf")

    def link(self, key: str) -> str | None:
        now = self._clock()
        kept = self._kept.get(key)
        if kept and now < kept.until:
            return kept.url
        if now < self._refused_until:
            return None
        try:
            url = self._signed.link(key)
        except (GoogleAuthError, RequestException) as error:
            # A pull through this server is better than none.
            log.warning(
                "IAM does not sign; blobs are streamed through this server", error=str(error)[:300]
            )
            self._refused_until = now + RETRY_SECONDS
            return None
        if url:
            self._forget(now)
            self._kept[key] = _Kept(url, now + REUSE_SECONDS)
        return url

    def _forget(self, now: float) -> None:
        """Drops expired entries, which are in the order of their expiry."""
        while self._kept:
            oldest = next(iter(self._kept), None)
            if oldest is None or now < self._kept[oldest].until:
                return
            self._kept.pop(oldest, None)


@dataclass(frozen=True, slots=True)
class _Kept:
    url: str
    until: float


class IamKey(Signing):
    """A signer that asks IAM.

    https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
    """

    def __init__(self, request: Request, credentials: Credentials) -> None:
        self._request = request
        self._credentials: Any = credentials

    @property
    def signer_email(self) -> str:
        # On Google's machines, the account's address is known only once there is a token.
        if self._credentials.service_account_email == "default":
            self._credentials.refresh(self._request)
        return str(self._credentials.service_account_email)

    @property
    def signer(self) -> Signer:
        return Signer(self._request, self._credentials, self.signer_email)

    def sign_bytes(self, message: bytes) -> bytes:
        return bytes(self.signer.sign(message))


def choose_links(
    bucket: Bucket, credentials: Credentials, request: Request, *, public: bool
) -> Links | None:
    """None if clients cannot be redirected, because these credentials cannot sign."""
    if public:
        return PublicLinks(bucket)
    if isinstance(credentials, KeyCredentials):
        return SignedLinks(bucket, credentials)
    if getattr(credentials, "service_account_email", None):
        return RemoteLinks(SignedLinks(bucket, IamKey(request, credentials)))
    return None

"""Addresses at which clients fetch a blob from the bucket itself."""

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
"""Seconds that a signed address holds. Clients follow a redirect at once."""
REUSE_SECONDS = 180
"""Seconds that an address signed by IAM is given out again: the rest is the client's time."""
RETRY_SECONDS = 60
"""Seconds without another attempt after IAM refused to sign."""


class Links(Protocol):
    def link(self, key: str) -> str | None:
        """Where a client gets this object now; None if it must be streamed."""


class PublicLinks:
    """For a bucket that everybody may read."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def link(self, key: str) -> str | None:
        return str(self._bucket.blob(key).public_url)


class SignedLinks:
    """Signed with a private key that this process holds: no request, a millisecond."""

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
    """Signed by Google's IAM, for a service account whose key nobody holds (workload identity).

    Each signature is a request, so an address is kept for REUSE_SECONDS seconds.
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
            # A pull that goes through this server is better than none.
            log.warning("IAM does not sign; blobs go through this server", error=str(error)[:300])
            self._refused_until = now + RETRY_SECONDS
            return None
        if url:
            self._forget(now)
            self._kept[key] = _Kept(url, now + REUSE_SECONDS)
        return url

    def _forget(self, now: float) -> None:
        """Drops what expired; entries lie in the order of their expiry."""
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
    """Has the service account's messages signed by IAM.

    https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
    """

    def __init__(self, request: Request, credentials: Credentials) -> None:
        self._request = request
        self._credentials: Any = credentials

    @property
    def signer_email(self) -> str:
        # On Google's machines the address is known only once there is a token.
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
    """None where clients cannot be sent to the bucket: nothing can sign for these credentials."""
    if public:
        return PublicLinks(bucket)
    if isinstance(credentials, KeyCredentials):
        return SignedLinks(bucket, credentials)
    if getattr(credentials, "service_account_email", None):
        return RemoteLinks(SignedLinks(bucket, IamKey(request, credentials)))
    return None

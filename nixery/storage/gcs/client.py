"""Client of a bucket: credentials, connections, and the signing of URLs."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google.auth
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud.storage import Bucket, Client
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from nixery.errors import ConfigurationError
from nixery.storage.bucket import POOL_SIZE, Patience
from nixery.storage.gcs.signing import Links, choose_links

# A broad scope: what the account may do is limited by its IAM roles.
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


class _Client(Client):  # type: ignore[misc]  # the library has no types
    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        # The library would fetch bucket metadata for traces, in extra threads and after every
        # missing object. No traces are made here.
        self._bucket_metadata_cache = None


@dataclass(frozen=True, slots=True)
class OpenBucket:
    bucket: Bucket
    session: AuthorizedSession
    """The session of all requests to the bucket."""
    links: Links | None
    """Makes the URLs that clients are redirected to; None: blobs are sent through the server."""


def open_bucket(
    name: str, credentials_file: Path | None, *, public: bool, emulator: str, patience: Patience
) -> OpenBucket:
    """Raises ConfigurationError. Makes no requests, except those needed to find the credentials."""
    emulator = _address(emulator) if emulator else ""
    credentials = _credentials(credentials_file, anonymous=bool(emulator))
    adapter = Adapter(patience)
    # Requests for tokens and signatures go to other servers, with the same timeouts.
    request = Request(with_timeouts(Session(), adapter))
    session = AuthorizedSession(credentials, auth_request=request)
    with_timeouts(session, adapter)
    client = _Client(
        # Only calls about whole projects use the project, and none is made.
        project="none",
        credentials=credentials,
        _http=session,
        client_options=ClientOptions(api_endpoint=emulator) if emulator else None,
    )
    try:
        bucket = client.bucket(name)
    except ValueError as error:
        raise ConfigurationError(f"GCS_BUCKET={name}: {error}") from None
    return OpenBucket(bucket, session, choose_links(bucket, credentials, request, public=public))


def _address(emulator: str) -> str:
    """Adds a missing scheme: the Go server accepts an address without one."""
    bare = re.fullmatch(r"[^/:]+(:[0-9]+)?/?", emulator)
    address = f"http://{emulator}" if bare else emulator
    try:
        parts = parse_url(address)
    except LocationParseError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.host:
        raise ConfigurationError(
            f"STORAGE_EMULATOR_HOST={emulator} is not a URL, such as http://localhost:4443"
        )
    return address


def _credentials(file: Path | None, *, anonymous: bool) -> Credentials:
    if file is None and anonymous:
        return AnonymousCredentials()
    try:
        if file is None:
            found, _ = google.auth.default(scopes=SCOPES)
        else:
            with warnings.catch_warnings():
                # The warning is about files from other people; this one is the operator's.
                warnings.simplefilter("ignore", DeprecationWarning)
                found, _ = google.auth.load_credentials_from_file(str(file), scopes=SCOPES)
    except (GoogleAuthError, OSError, ValueError, KeyError, AttributeError) as error:
        # The last two: the library does not check the structure of the JSON.
        where = (
            f"GOOGLE_APPLICATION_CREDENTIALS={file}" if file else "no credentials for GCS_BUCKET"
        )
        raise ConfigurationError(f"{where}: {' '.join(str(error).split())}") from None
    return found


class Adapter(HTTPAdapter):
    """Applies the same timeouts to every request, including those that libraries make."""

    def __init__(self, patience: Patience) -> None:
        super().__init__(pool_maxsize=POOL_SIZE)
        self._timeouts = (patience.connect, patience.stall)

    def send(self, request: PreparedRequest, *_: Any, **options: Any) -> Response:  # noqa: ANN401 - as in requests
        return super().send(request, **{**options, "timeout": self._timeouts})


def with_timeouts(session: Session, adapter: HTTPAdapter) -> Session:
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session

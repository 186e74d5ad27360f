"""From the settings to a bucket that can be asked: credentials, connections, who signs."""

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

# What an account may do is decided by its roles, in the bucket's and the project's IAM.
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


class _Client(Client):  # type: ignore[misc]  # the library has no types
    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        # For traces, which nobody reads here, it looks the bucket up in threads of its own,
        # also after every object that is not there.
        self._bucket_metadata_cache = None


@dataclass(frozen=True, slots=True)
class OpenBucket:
    bucket: Bucket
    session: AuthorizedSession
    """All requests to the bucket are made by it."""
    links: Links | None


def open_bucket(
    name: str, credentials_file: Path | None, *, public: bool, emulator: str, patience: Patience
) -> OpenBucket:
    """Raises ConfigurationError; makes no request but those that find credentials."""
    emulator = _address(emulator) if emulator else ""
    credentials = _credentials(credentials_file, anonymous=bool(emulator))
    adapter = Adapter(patience)
    # Tokens and signatures come from other servers, under the same limits.
    request = Request(limited(Session(), adapter))
    session = AuthorizedSession(credentials, auth_request=request)
    limited(session, adapter)
    client = _Client(
        # Only calls about whole projects need one, and none is made.
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
    """With a scheme: Google's library for Go, and so the Go server, needs none."""
    bare = re.fullmatch(r"[^/:]+(:[0-9]+)?/?", emulator)
    address = f"http://{emulator}" if bare else emulator
    try:
        parts = parse_url(address)
    except LocationParseError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.host:
        raise ConfigurationError(
            f"STORAGE_EMULATOR_HOST={emulator}: this is no address, such as http://localhost:4443"
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
                # The warning is about files that somebody else sent; this is the operator's own.
                warnings.simplefilter("ignore", DeprecationWarning)
                found, _ = google.auth.load_credentials_from_file(str(file), scopes=SCOPES)
    except (GoogleAuthError, OSError, ValueError, KeyError, AttributeError) as error:
        # The last two: the library trusts the shape of the JSON in the file.
        where = (
            f"GOOGLE_APPLICATION_CREDENTIALS={file}" if file else "no credentials for GCS_BUCKET"
        )
        raise ConfigurationError(f"{where}: {' '.join(str(error).split())}") from None
    return found


class Adapter(HTTPAdapter):
    """Gives every request the same limits, also those that libraries send on their own."""

    def __init__(self, patience: Patience) -> None:
        super().__init__(pool_maxsize=POOL_SIZE)
        self._limits = (patience.connect, patience.stall)

    def send(self, request: PreparedRequest, *_: Any, **options: Any) -> Response:  # noqa: ANN401 - requests'
        return super().send(request, **{**options, "timeout": self._limits})


def limited(session: Session, adapter: HTTPAdapter) -> Session:
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session

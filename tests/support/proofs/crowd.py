"""Many clients that pull an image at the same moment, each over a separate connection."""

import hashlib
import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Barrier
from urllib.parse import urlsplit

from support.served import OCI

PATIENCE = 280
"""Seconds without a byte; about as long as clients wait."""


@dataclass(frozen=True)
class Pull:
    url: str
    """Where from."""
    digest: str | None
    """The manifest's."""
    faults: tuple[str, ...]
    """The faults of the received image."""


def pull_at_once(urls, image):
    """A Pull for each address, which may repeat."""
    with crowd(urls, image) as pulls:
        return pulls()


def faults_of(pulls):
    """All must be whole, and of one image."""
    digests = {pull.digest for pull in pulls}
    faults = [fault for pull in pulls for fault in pull.faults]
    return faults if len(digests) == 1 else [*faults, f"different images: {digests}"]


@contextmanager
def crowd(urls, image):
    """They have begun; calling what this gives waits until all have come to an end."""
    gate = Barrier(len(urls), timeout=60)
    with ThreadPoolExecutor(len(urls)) as threads:
        pulls = [threads.submit(_Client(url, image, gate).pull) for url in urls]
        yield lambda: [pull.result() for pull in pulls]


class _Client:
    """One connection, as a client in a hurry."""

    def __init__(self, url, image, gate):
        self._url = url
        self._image = image
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
        self._gate = gate

    def pull(self):
        self._connection.connect()
        self._gate.wait()
        try:
            digest, faults = self._pulled()
        except (OSError, http.client.HTTPException) as error:
            digest, faults = None, [repr(error)]
        finally:
            self._connection.close()
        return Pull(self._url, digest, tuple(faults))

    def _pulled(self):
        digest, manifest, faults = self._got(f"/v2/{self._image}/manifests/latest")
        if faults:
            return digest, faults
        content = json.loads(manifest)
        for blob in (content["config"], *content["layers"]):
            named, data, wrong = self._got(f"/v2/{self._image}/blobs/{blob['digest']}")
            faults += wrong
            if (named, len(data)) != (blob["digest"], blob["size"]):
                faults.append(f"{len(data)} bytes of {named} came for {blob}")
        return digest, faults

    def _got(self, path):
        self._connection.request("GET", path, headers={"Accept": OCI})
        answer = self._connection.getresponse()
        data = answer.read()
        digest = answer.headers["Docker-Content-Digest"]
        if answer.status != 200:
            return digest, data, [f"{answer.status}: {data[:200]}"]
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
            return digest, data, [f"{path} is not what its header says"]
        return digest, data, []

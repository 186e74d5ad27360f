"""Storages on our own bucket server."""

import pytest
from support.storage.gcs_blobs import CHUNK, HASTY, IMPATIENT

from nixery.storage import gcs
from nixery.storage.gcs import staging
from nixery.storage.gcs import storage as operations


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    assert staging.CHUNK == 8 << 20
    monkeypatch.setattr(staging, "CHUNK", CHUNK)
    monkeypatch.setattr(operations, "RANGE_BYTES", CHUNK)


@pytest.fixture
def connect(google, bucket):
    def connect(patience):
        return gcs.connect(bucket.name, emulator=google.url, patience=patience)

    return connect


@pytest.fixture
def storage(connect):
    return connect(IMPATIENT)


@pytest.fixture
def hasty(connect):
    return connect(HASTY)


@pytest.fixture
def requests(google, bucket):
    """The requests of a call: method and kind, in order."""

    def made_by(call):
        google.log.clear()
        call()
        return [f"{line.split('/')[0].strip()} {_kind(line, bucket.name)}" for line in google.log]

    return made_by


def _kind(line, bucket):
    for kind in ("uploadType=resumable", "uploadType=multipart", "rewriteTo", "alt=media"):
        if kind in line:
            return kind
    return line.partition(f"{bucket}/o")[2].partition("%2F")[0].partition("?")[0].strip("/")

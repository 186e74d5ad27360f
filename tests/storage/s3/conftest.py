"""Storages on moto, behind a proxy that injects faults."""

from dataclasses import replace

import pytest
from support.storage.s3_way import HASTY, IMPATIENT, PART, Way

from nixery.storage.s3 import S3Storage, staging
from nixery.storage.s3 import storage as operations
from nixery.storage.s3.client import open_client


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    assert staging.PART == 8 << 20
    monkeypatch.setattr(staging, "PART", PART)
    monkeypatch.setattr(operations, "RANGE_BYTES", PART)


@pytest.fixture(scope="module")
def way(moto):
    server = Way(moto)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def clients(s3_options, way):
    """One for each patience, over the faulty way."""
    made = {}

    def client(patience):
        if patience not in made:
            made[patience] = open_client(replace(s3_options, endpoint=way.url), patience)
        return made[patience]

    yield client
    for one in made.values():
        one.close()


@pytest.fixture
def connect(clients, s3_bucket, way):
    def connect(patience=HASTY, link_expiration=300):
        return S3Storage(clients(patience), s3_bucket, link_expiration, patience)

    yield connect
    way.faults.clear()
    way.conditions = "kept"


@pytest.fixture
def storage(connect):
    storage = connect(IMPATIENT)
    storage.check()
    return storage


@pytest.fixture
def hasty(connect, storage):
    hasty = connect(HASTY)
    hasty._conditions = storage._conditions
    return hasty


@pytest.fixture
def content(s3_client, s3_bucket):
    """The contents of the bucket, by key."""

    def content():
        found = s3_client.list_objects_v2(Bucket=s3_bucket).get("Contents", [])
        return {
            each["Key"]: s3_client.get_object(Bucket=s3_bucket, Key=each["Key"])["Body"].read()
            for each in found
        }

    return content

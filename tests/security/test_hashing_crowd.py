"""A cluster requests a large blob right after a restart: the server reads it once."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support.served import serve

pytestmark = pytest.mark.nix

CLIENTS = 60
MIB = 1 << 20
SIZE = 64 * MIB


@pytest.fixture
def served(tmp_path, tiny, nix_environment):
    """With a large blob in its storage that it has never seen."""
    directory = tmp_path / "served"
    data = os.urandom(SIZE)
    blob = directory / "storage/layers" / hashlib.sha256(data).hexdigest()
    blob.parent.mkdir(parents=True)
    blob.write_bytes(data)
    with serve(nix_environment, directory, NIXERY_PKGS_PATH=str(tiny)) as served:
        served.blob = f"/v2/hello/blobs/sha256:{blob.name}"
        yield served


def read_by(served):
    """Bytes that the process has read in all, from wherever."""
    fields = dict(
        line.split(": ") for line in Path(f"/proc/{served.process.pid}/io").read_text().splitlines()
    )
    return int(fields["rchar"])


def test_it_reads_the_blob_once(served):
    before = read_by(served)
    with httpx.Client(base_url=served.url, timeout=60) as client:
        for _ in range(CLIENTS):
            answer = client.head(served.blob)
            assert (answer.status_code, answer.headers["content-length"]) == (200, str(SIZE))
        assert read_by(served) - before < MIB

        def first_byte(_):
            return client.get(served.blob, headers={"Range": "bytes=0-0"}).status_code

        with ThreadPoolExecutor(CLIENTS) as clients:
            assert set(clients.map(first_byte, range(CLIENTS))) == {206}
    # sendfile reads ahead of the requested byte, but not the whole blob.
    assert SIZE <= read_by(served) - before < 2 * SIZE

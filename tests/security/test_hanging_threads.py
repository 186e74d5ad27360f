"""A storage that does not answer any more does not keep the server from ending."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import support.security
from support.served import serve

pytestmark = pytest.mark.nix

HANGING = Path(support.security.__file__).with_name("hanging.py")
UNKNOWN = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "hang",
    [
        pytest.param(("locate", UNKNOWN, f"blobs/{UNKNOWN}"), id="look-up"),
        pytest.param(("verify", UNKNOWN, f"blobs/{UNKNOWN}"), id="hashing"),
        pytest.param(("stat", f"layers/{'0' * 64}", f"manifests/{UNKNOWN}"), id="reading"),
        pytest.param(("write", "pulled/", "manifests/latest"), id="mark of a pull"),
    ],
)
def test_it_ends_in_time(tmp_path, tiny, nix_environment, hang):
    """With status 0, which ``serve`` checks, and a line that says where threads hang."""
    method, prefix, path = hang
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    blob = tmp_path / "served/storage/layers" / ("0" * 64)
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"rotten")
    command = [sys.executable, HANGING, method, fifo, prefix]
    directory = tmp_path / "served"
    with ThreadPoolExecutor(1) as clients:
        with serve(nix_environment, directory, command, NIXERY_PKGS_PATH=str(tiny)) as served:
            asked = clients.submit(httpx.get, f"{served.url}/v2/hello/{path}", timeout=60)
            # Opens once the server reads from it; that read does not end while it is open.
            kept = fifo.open("wb")
        kept.close()
        with suppress(httpx.HTTPError):
            asked.result()
    (line,) = [event for event in served.events() if event["event"] == "ended while threads hang"]
    assert line["threads"] >= 1
    assert line["places"]

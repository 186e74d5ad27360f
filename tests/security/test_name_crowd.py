"""Strangers request many new images, and Nix takes its time."""

import json
import os
import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support.served import OCI, serve

pytestmark = pytest.mark.nix

CROWD = 400
QUEUE = 20
HELD = """#!/bin/sh
[ "$1" != evaluate ] || [ ! -e {gate} ] || read -r _ <{gate}
exec {real} "$@"
"""


@pytest.fixture
def served(tmp_path, tiny, nix_environment):
    """Evaluates one image at a time, and never ends once there is a ``gate``."""
    commands = tmp_path / "bin"
    commands.mkdir()
    real = shutil.which("nixery-prepare-image", path=nix_environment["PATH"])
    held = commands / "nixery-prepare-image"
    held.write_text(HELD.format(gate=tmp_path / "gate", real=real))
    held.chmod(0o755)
    environment = {**nix_environment, "PATH": f"{commands}:{nix_environment['PATH']}"}
    settings = {
        "NIXERY_PKGS_PATH": str(tiny),
        "NIXERY_MAX_BUILDS": "1",
        "NIXERY_QUEUE": str(QUEUE),
        "NIXERY_CONFINE": "0",  # a confined evaluation sees no gate
    }
    with serve(environment, tmp_path / "served", **settings) as served:
        served.gate = tmp_path / "gate"
        yield served


class Strangers:
    """All at once; ``refused`` is set once all have an answer except those that wait for Nix."""

    def __init__(self, served):
        self.answers = Counter()
        self.refused = threading.Event()
        self._lock = threading.Lock()
        self._url = f"{served.url}/v2/stranger{{}}/manifests/latest"

    def ask(self, number):
        answer = httpx.get(self._url.format(number), timeout=300)
        with self._lock:
            self.answers[answer.status_code, answer.headers.get("retry-after")] += 1
            if self.answers.total() == CROWD - QUEUE - 1:
                self.refused.set()


def pull(served):
    """Statuses of an honest client, which keeps its connection."""
    with httpx.Client(base_url=served.url, timeout=300) as client:
        manifest = client.get("/v2/hello/manifests/latest", headers={"Accept": OCI})
        blobs = [layer["digest"] for layer in json.loads(manifest.content)["layers"]]
        answers = [client.get(f"/v2/hello/blobs/{digest}") for digest in blobs]
        return {manifest.status_code, *(answer.status_code for answer in answers)}


def test_what_was_made_before_is_served(served):
    """The others are told at once to retry; the log summarises them."""
    assert pull(served) == {200}
    os.mkfifo(served.gate)
    strangers = Strangers(served)
    with ThreadPoolExecutor(CROWD) as asking:
        for number in range(CROWD):
            asking.submit(strangers.ask, number)
        for _ in range(20):
            assert pull(served) == {200}
        assert strangers.refused.wait(60)
        assert strangers.answers == {(429, "10"): CROWD - QUEUE - 1}
        assert pull(served) == {200}
        served.process.terminate()  # those that wait for Nix are told to ask another server
    assert strangers.answers[503, "1"] == QUEUE + 1
    told = Counter(event["event"] for event in served.events())
    assert told["too many images wait"] == 1
    assert told["request refused"] == 0

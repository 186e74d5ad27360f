"""Many clients pull one image that nobody has asked for yet, from a server in its own process."""

import hashlib
import http.client
import json
import resource
import shutil
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from served import OCI, serve

pytestmark = pytest.mark.nix

CROWDS = {False: (50, "hello"), True: (1000, "shell/git/htop")}
PEAK_MB = 512
ALONE = [sys.executable, Path(__file__).parent / "everyone_alone.py", "serve"]


class CountedNix:
    """Comes before the real builder's command on PATH, and notes what it is asked for."""

    def __init__(self, directory, environment):
        real = shutil.which("nixery-prepare-image", path=environment["PATH"])
        self._asked = directory / "asked"
        self._asked.touch()
        command = directory / "nixery-prepare-image"
        # One write of a line, which appending keeps whole.
        command.write_text(f'#!/bin/sh\necho "$1" >>{self._asked}\nexec {real} "$@"\n')
        command.chmod(0o755)
        self.environment = {**environment, "PATH": f"{directory}:{environment['PATH']}"}

    def runs(self):
        """How often it evaluated, built, and looked at closures."""
        counts = Counter(self._asked.read_text().split())
        del counts["check"]  # for /readyz
        return counts


@pytest.fixture
def nix(tmp_path, nix_environment):
    directory = tmp_path / "bin"
    directory.mkdir()
    return CountedNix(directory, nix_environment)


@pytest.fixture
def start(nix, tiny, tmp_path):
    def start(**options):
        settings = {"NIXERY_PKGS_PATH": str(tiny), **options}
        return serve(nix.environment, tmp_path / "served", **settings)

    return start


@pytest.fixture
def _many_files():
    """A client and its connection take two, here and in the server, which inherits the limit."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


class Client:
    """One connection, as a client in a hurry."""

    def __init__(self, url, image, gate):
        self._image = image
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=280)
        self._gate = gate

    def pull(self):
        """The manifest's digest, and what is wrong with what came."""
        self._connection.connect()
        self._gate.wait()
        try:
            return self._pulled()
        except OSError as error:
            return None, [repr(error)]
        finally:
            self._connection.close()

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


def pull_at_once(url, count, image):
    """Digests that were given, and what was wrong."""
    gate = Barrier(count, timeout=60)
    with ThreadPoolExecutor(count) as threads:
        pulls = [threads.submit(Client(url, image, gate).pull) for _ in range(count)]
        answers = [pull.result() for pull in pulls]
    return {digest for digest, _ in answers}, [fault for _, faults in answers for fault in faults]


@pytest.mark.usefixtures("_many_files")
def test_one_run_of_nix_for_all(start, nix, full, record_property):
    count, image = CROWDS[full]
    unbuilt = json.dumps({"salt": uuid4().hex})
    with start(NIXERY_NIXPKGS_CONFIG=unbuilt) as served:
        digests, faults = pull_at_once(served.url, count, image)
        peak = round(served.peak_mb())
    record_property("clients", count)
    record_property("peak_rss_mb", peak)
    record_property("runs", dict(nix.runs()))
    assert faults == []
    assert len(digests) == 1
    assert nix.runs() == {"evaluate": 1, "realise": 1, "closure": 1}
    assert peak < PEAK_MB


def test_it_notices(start, nix):
    """Without single flight all are served as well, and each has Nix run."""
    with start(command=ALONE) as served:
        digests, faults = pull_at_once(served.url, 4, "hello")
    assert (len(digests), faults) == (1, [])
    assert nix.runs()["evaluate"] > 1
    assert nix.runs()["realise"] > 1

"""One digest: whoever builds the image, when, with what and how often."""

import json
import os
import shutil
import subprocess
from itertools import cycle, islice
from pathlib import Path

import pytest
from fake_gcs import FakeGcs
from served import DOCKER, serve

pytestmark = pytest.mark.nix

IMAGE = "shell/odd/git"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def google():
    server = FakeGcs()
    yield server
    server.stop()


def storages(google):
    """Empty ones: in turn a directory of the server's own, and a bucket."""
    yield {}
    for number in cycle(range(1, 1000)):
        google.make_bucket(f"images{number}")
        yield {
            "NIXERY_STORAGE_BACKEND": "gcs",
            "GCS_BUCKET": f"images{number}",
            "STORAGE_EMULATOR_HOST": google.url,
        }
        yield {}


@pytest.fixture
def rebuild(nix_environment, tiny, tmp_path):
    """``rebuild(SETTING=value, …)`` gives the digests that a new server makes, by format."""

    def digests(**settings):
        directory = tmp_path / "server"
        settings = {"NIXERY_PKGS_PATH": str(tiny)} | settings
        with serve(nix_environment, directory, **settings) as served:
            answer = served.manifest(IMAGE)
            assert answer.headers["Nixery-Cache"] == "none"
            found = {"oci": answer.headers["Docker-Content-Digest"]}
            if settings["NIXERY_COMPRESSION"] != "zstd":
                found["docker"] = served.digest(IMAGE, DOCKER)
        shutil.rmtree(directory)
        return tuple(found.items())

    return digests


@pytest.mark.parametrize("kind", ["gzip", pytest.param("zstd", marks=pytest.mark.full)])
def test_rebuilds_have_one_digest(rebuild, google, full, record_property, kind):
    """Each by a server of its own, with another number of workers, in an empty storage."""
    times = 50 if full else 3
    record_property("rebuilds", times)
    rounds = zip(storages(google), cycle("124"), strict=False)
    found = {
        rebuild(NIXERY_COMPRESSION=kind, NIXERY_PACK_WORKERS=workers, **storage)
        for storage, workers in islice(rounds, times)
    }
    assert len(found) == 1


@pytest.mark.full
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have another Nix in its place")
def test_another_nix_gives_the_same_digest(nix_environment, tiny, tmp_path):
    """Its own builds, in a store of its own."""
    build = ("nixery", "build", IMAGE, "-o")
    environment = {**nix_environment, "NIXERY_PKGS_PATH": str(tiny)}
    digests = {}
    for suite, before in (("here", ()), ("trixie", (ROOT / "scripts/with-nix", "trixie"))):
        environment["NIX_REMOTE"] = str(tmp_path / suite)
        done = subprocess.run(
            [*before, *build, tmp_path / f"{suite}-image"],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=600,
        )
        digests[suite] = done.stdout.strip()
    assert len(set(digests.values())) == 1, json.dumps(digests)

"""One digest, regardless of who builds the image, when, with what and how often."""

import os
import shutil
import subprocess
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

import pytest
from support.fake_gcs import FakeGcs
from support.served import DOCKER, serve

pytestmark = pytest.mark.nix

IMAGE = "shell/odd/git"
WITH_NIX = Path(__file__).parents[2] / "scripts/with-nix"


@pytest.fixture
def google():
    server = FakeGcs()
    yield server
    server.stop()


@pytest.fixture
def in_a_server(nix_environment, tiny, tmp_path):
    """Gives the digests that a new server with an empty storage makes, by format."""

    def rebuild(**settings):
        directory = tmp_path / "server"
        with serve(nix_environment, directory, NIXERY_PKGS_PATH=str(tiny), **settings) as served:
            answer = served.manifest(IMAGE)
            assert answer.headers["Nixery-Cache"] == "none"
            found = {"oci": answer.headers["Docker-Content-Digest"]}
            if settings["NIXERY_COMPRESSION"] != "zstd":
                found["docker"] = served.digest(IMAGE, DOCKER)
        shutil.rmtree(directory)
        return found

    return rebuild


@pytest.fixture
def in_a_bucket(in_a_server, google):
    """The same in a bucket that is new each time."""
    numbers = iter(range(1000))

    def rebuild(**settings):
        bucket = f"images{next(numbers)}"
        google.make_bucket(bucket)
        return in_a_server(
            NIXERY_STORAGE_BACKEND="gcs",
            GCS_BUCKET=bucket,
            STORAGE_EMULATOR_HOST=google.url,
            **settings,
        )

    return rebuild


@pytest.fixture
def by_another_nix(nix_environment, tiny, tmp_path):
    """Without a server, and with Nix 2.26, which builds the packages in a separate store."""

    def rebuild(**settings):
        image = tmp_path / "image"
        done = subprocess.run(
            [WITH_NIX, "trixie", "nixery", "build", IMAGE, "-o", image],
            env={
                **nix_environment,
                "NIXERY_PKGS_PATH": str(tiny),
                "NIX_REMOTE": str(tmp_path / "store"),
                **settings,
            },
            check=True,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert "Nix here: nix (Nix) 2.26." in done.stderr
        shutil.rmtree(image)
        return {"oci": done.stdout.strip()}

    return rebuild


@pytest.fixture
def ways(in_a_server, in_a_bucket, by_another_nix):
    root = os.geteuid() == 0  # other tests cannot replace Nix here
    other = {"by Nix 2.26": by_another_nix} if root else {}
    return {"in a directory": in_a_server, "in a bucket": in_a_bucket, **other}


@pytest.mark.parametrize("kind", ["gzip", pytest.param("zstd", marks=pytest.mark.full)])
def test_rebuilds_have_one_digest(ways, kind, full, record_property):
    """Each by a separate process, with another number of workers, into an empty storage."""
    found, rebuilds = set(), Counter()
    # Five numbers of workers, two ways or three: each meets each.
    rounds = zip(cycle(ways), cycle("12435"), strict=False)
    for way, workers in islice(rounds, 50 if full else 3):
        found.update(ways[way](NIXERY_COMPRESSION=kind, NIXERY_PACK_WORKERS=workers).items())
        rebuilds[way] += 1
    for way, times in rebuilds.items():
        record_property(f"rebuilds {way}", times)
    assert len(found) == (1 if kind == "zstd" else 2), found

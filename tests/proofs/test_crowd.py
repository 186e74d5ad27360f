"""Many clients pull one new image from a server in a separate process."""

import json
import resource
import shutil
import sys
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
import support.proofs
from support.proofs.crowd import faults_of, pull_at_once
from support.served import serve

pytestmark = pytest.mark.nix

CROWDS = {False: (50, "hello"), True: (1000, "shell/git/htop")}
PEAK_MB = 512
ALONE = [sys.executable, Path(support.proofs.__file__).with_name("everyone_alone.py"), "serve"]


class CountedNix:
    """Precedes the real builder's command on PATH, and records its calls."""

    def __init__(self, directory, environment):
        real = shutil.which("nixery-prepare-image", path=environment["PATH"])
        self._asked = directory / "asked"
        self._asked.touch()
        command = directory / "nixery-prepare-image"
        # One write of a line, which appending keeps whole.
        command.write_text(f'#!/bin/sh\necho "$1" >>{self._asked}\nexec {real} "$@"\n')
        command.chmod(0o755)
        # A confined evaluation could not write to the file.
        self.environment = {
            **environment,
            "PATH": f"{directory}:{environment['PATH']}",
            "NIXERY_CONFINE": "0",
        }

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


@pytest.mark.usefixtures("_many_files")
def test_one_run_of_nix_for_all(start, nix, full, record_property):
    count, image = CROWDS[full]
    unbuilt = json.dumps({"salt": uuid4().hex})
    with start(NIXERY_NIXPKGS_CONFIG=unbuilt) as served:
        pulls = pull_at_once([served.url] * count, image)
        peak = round(served.peak_mb())
    record_property("clients", count)
    record_property("peak_rss_mb", peak)
    record_property("runs", dict(nix.runs()))
    assert faults_of(pulls) == []
    # One evaluation is that of the whole set, at the start.
    assert nix.runs() == {"evaluate": 2, "realise": 1, "closure": 1}
    assert peak < PEAK_MB


def test_it_notices(start, nix):
    """Without single flight all are served as well, and each has Nix run."""
    with start(command=ALONE) as served:
        pulls = pull_at_once([served.url] * 4, "hello")
    assert faults_of(pulls) == []
    assert nix.runs()["evaluate"] > 1
    assert nix.runs()["realise"] > 1

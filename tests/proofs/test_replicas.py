"""Two replicas on one bucket, a hundred clients: one builds, and when it dies, the other does."""

import itertools
import re
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Semaphore

import pytest
import support.proofs
from support.fake_gcs import FakeGcs
from support.proofs.crowd import crowd, faults_of, pull_at_once
from support.proofs.held_nix import HeldNix
from support.served import serve

from nixery.lease import LEASE_SECONDS

pytestmark = pytest.mark.nix

ROUNDS = {False: 1, True: 20}
CLIENTS = 100
NAMES = ("one", "two")
PROGRAM = Path(support.proofs.__file__).with_name("replica.py")
LEASE = re.compile(r"/storage/v1/b/images/o/leases%2F[0-9a-f]{64}")
PATIENCE = 60


class Bucket:
    """Its clock can be moved, and it reports when a lease was read."""

    def __init__(self):
        self.ahead = 0.0
        self.server = FakeGcs(lambda: time.time() + self.ahead)
        self.server.make_bucket("images")
        self._answer, self.server.answer = self.server.answer, self._watch
        self._looks = Semaphore(0)

    def looked_at(self, times):
        for _ in range(times):
            assert self._looks.acquire(timeout=PATIENCE)

    def forget_looks(self):
        self._looks = Semaphore(0)

    def _watch(self, request):
        answer = self._answer(request)
        if request.method == "GET" and LEASE.match(request.target):
            self._looks.release()
        return answer


class Replicas(dict):
    """By name."""

    def urls(self):
        """Half of the clients ask the one, half the other."""
        return [self[NAMES[number % 2]].url for number in range(CLIENTS)]


@pytest.fixture
def bucket():
    bucket = Bucket()
    yield bucket
    bucket.server.stop()


@pytest.fixture
def nix(tmp_path, nix_environment):
    nix = HeldNix(tmp_path / "bin", nix_environment)
    yield nix
    nix.close()


@pytest.fixture
def start(tmp_path, tiny, bucket, nix):
    settings = {
        "NIXERY_PKGS_PATH": str(tiny),
        "NIXERY_STORAGE_BACKEND": "gcs",
        "GCS_BUCKET": "images",
        "STORAGE_EMULATOR_HOST": bucket.server.url,
    }
    numbers = itertools.count()

    @contextmanager
    def start(*options):
        directory = tmp_path / str(next(numbers))
        directory.mkdir()
        command = [sys.executable, PROGRAM, *options, "serve"]
        with ExitStack() as stack:
            yield Replicas(
                {
                    name: stack.enter_context(
                        serve(nix.environment(name), directory / name, command, **settings)
                    )
                    for name in NAMES
                }
            )

    return start


def other(name):
    return NAMES[1 - NAMES.index(name)]


def faults_of_one_build(replicas, bucket, nix):
    bucket.forget_looks()
    with crowd(replicas.urls(), "hello") as pulls:
        builder = nix.asked("realise")
        bucket.looked_at(2)  # the other one has seen that it is not its turn
        nix.go_on(builder)
        faults = faults_of(pulls())
    return faults + [f"{name} builds, too" for name in nix.more("realise")]


def faults_of_a_takeover(replicas, bucket, nix):
    bucket.forget_looks()
    with crowd(replicas.urls(), "htop") as pulls:
        dead = nix.asked("realise")
        alive = replicas[other(dead)]
        bucket.looked_at(2)
        replicas[dead].kill()
        nix.give_up(dead)
        early = nix.more("realise")
        bucket.ahead += LEASE_SECONDS + 2  # the bucket's time is known to about a second
        assert nix.asked("realise") == other(dead)
        nix.go_on(other(dead))
        done = pulls()
    faults = faults_of([pull for pull in done if pull.url == alive.url])
    again = pull_at_once([alive.url for pull in done if pull.url != alive.url], "htop")
    faults += faults_of([*again, *(pull for pull in done if pull.digest)])
    return faults + [f"{name} builds, too" for name in (*early, *nix.more("realise"))]


def test_one_builds_and_the_other_takes_over(full, start, bucket, nix, record_property):
    faults = []
    for _ in range(ROUNDS[full]):
        bucket.server.buckets["images"].clear()
        with start() as replicas:
            faults += faults_of_one_build(replicas, bucket, nix)
            faults += faults_of_a_takeover(replicas, bucket, nix)
    record_property("rounds", ROUNDS[full])
    record_property("clients", CLIENTS)
    assert faults == []


def test_it_notices(start, nix):
    """Without leases both build."""
    with start("--without-leases") as replicas, crowd(replicas.urls()[:4], "hello") as pulls:
        builders = {nix.asked("realise"), nix.asked("realise")}
        for name in builders:
            nix.go_on(name)
        assert faults_of(pulls()) == []
    assert builders == set(NAMES)

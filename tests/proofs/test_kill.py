"""SIGKILL at every system call that touches the storage while an image is published."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import support.proofs
from support.proofs.honesty import broken_promises, digests, visible_lies
from support.proofs.publisher import real_registry_of, registry_of

from nixery.gc import OlderThan, collect
from nixery.storage.filesystem import FilesystemStorage

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

CALLS = (
    "openat,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,"
    "mkdirat,rmdir,flock,utime,utimes,utimensat,ftruncate,fchmod,chmod,close"
)
DAY = 86_400


class Later(FilesystemStorage):
    """The storage as it is some time after the kill."""

    ahead = 31.0

    def now(self):
        return time.time() + self.ahead


class Publisher:
    def __init__(self, process):
        self._process = process

    def run(self, directory, *options):
        """The exit code of a fork that strace was attached to with these options."""
        directory.mkdir()
        self._say(str(directory))
        pid = self._hear()
        command = ["strace", "-p", pid, *options]
        strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        said = strace.stderr.readline()
        self._say("go")
        status = int(self._hear())
        strace.communicate()
        if "attached" not in said:
            pytest.skip(f"strace may not look at processes here: {said.strip()}")
        return status

    def _say(self, text):
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def _hear(self):
        return self._process.stdout.readline().strip()


@contextmanager
def publishing(storage_class, *package_set, environment=os.environ):
    program = Path(support.proofs.__file__).with_name("publisher.py")
    environment = {**environment, "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, program, storage_class, *package_set],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        yield Publisher(process)
        process.stdin.close()


def moments(publisher, directory):
    """(system call, n) of every call that names the storage, from an undisturbed run."""
    log = directory / "calls"
    target = directory / "whole"
    options = ["-y", "-s0", f"--trace={CALLS}", f"--output={log}"]
    assert publisher.run(target, *options) == 0
    counts, found = Counter(), []
    for line in log.read_text().splitlines():
        if called := re.match(r"(\w+)\(", line):
            counts[called[1]] += 1
            if f"{target}/storage" in line:
                found.append((called[1], counts[called[1]]))
    return found


async def pulled(registry):
    async with registry.opened() as answers:
        return await answers.image("hello", "latest")


async def faults_after(publisher, registry_of, directory, moment, expected):
    """Kills there, then restarts and pulls."""
    call, number = moment
    inject = f"--inject={call}:signal=KILL:when={number}"
    status = publisher.run(directory, f"--trace={call}", inject, "--output=/dev/null")
    if status != -signal.SIGKILL:
        return [f"{call} {number}: not killed but {status}"]
    storage = directory / "storage"
    faults = visible_lies(storage)
    image = await pulled(registry_of(directory, Later(storage)))
    faults += broken_promises(storage, image)
    if digests(image) != expected:
        faults.append(f"another digest: {digests(image)}")
    later = Later(storage)
    later.ahead = DAY + 60
    collect(later, OlderThan(365 * DAY), sleep=lambda _: None)
    faults += [f"left in staging: {path.name}" for path in storage.glob("staging/*")]
    return [f"{call} {number}: {fault}" for fault in faults]


async def faults_of_all(publisher, registry_of, directory, record_property):
    """Kills at each moment that an undisturbed run has."""
    found = moments(publisher, directory)
    whole = directory / "whole"
    image = await pulled(registry_of(whole, Later(whole / "storage")))
    assert image.cache == "local"
    expected = digests(image)
    faults = []
    for place, moment in enumerate(found):
        target = directory / str(place)
        faults += await faults_after(publisher, registry_of, target, moment, expected)
        shutil.rmtree(target)
    record_property("kills", len(found))
    record_property("calls", dict(Counter(call for call, _ in found)))
    assert {"openat", "write", "fsync", "rename", "flock", "mkdir"} <= {call for call, _ in found}
    return faults


async def test_a_kill_at_any_moment_leaves_no_lie(tmp_path, record_property):
    with publishing("FilesystemStorage") as publisher:
        assert await faults_of_all(publisher, registry_of, tmp_path, record_property) == []


@pytest.mark.full
@pytest.mark.nix
async def test_a_kill_in_a_real_build_leaves_no_lie(
    tmp_path, tiny, nix_environment, record_property
):
    """The image that is pulled afterwards is built by another process of the real Nix."""
    package_set = (str(tiny), uuid4().hex)

    def registry_of(directory, storage):
        return real_registry_of(directory, storage, *package_set, nix_environment)

    with publishing("FilesystemStorage", *package_set, environment=nix_environment) as publisher:
        assert await faults_of_all(publisher, registry_of, tmp_path, record_property) == []


async def test_it_notices(tmp_path):
    """A plain write is torn at some moment."""
    with publishing("PlainWrite") as publisher:
        for place, (call, number) in enumerate(moments(publisher, tmp_path)):
            if call != "write":
                continue
            directory = tmp_path / str(place)
            publisher.run(
                directory,
                f"--trace={call}",
                f"--inject={call}:signal=KILL:when={number}",
                "--output=/dev/null",
            )
            if visible_lies(directory / "storage"):
                return
    pytest.fail("nothing torn was found")

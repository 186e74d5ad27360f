"""A container as a runtime starts it: an image's files are its root, and it may do little."""

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

UNSHARE, MOUNT = (shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("unshare", "mount"))

NUMBERS = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7}
"""Capabilities allowed to a pod, by their number in linux/capability.h."""

_BOUNDED = """
import ctypes, os, sys
root, kept, *command = sys.argv[1:]
prctl = ctypes.CDLL(None).prctl
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
os.chroot(root)
os.chdir("/")
with open("/proc/sys/kernel/cap_last_cap") as file:
    last = int(file.read())
for number in range(last + 1):
    if str(number) not in kept.split(","):
        assert prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0
assert prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
os.execv(command[0], command)
"""


def unpack_archive(archive: Path, root: Path) -> dict:
    """An image in Docker's format; gives the configuration of its containers."""
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as outer:
        (manifest,) = json.load(outer.extractfile("manifest.json"))
        for name in manifest["Layers"]:
            # Python's own way differs from one of its releases to the next.
            unpacking = ("tar", "--extract", "--preserve-permissions", "--numeric-owner")
            subprocess.run(
                [*unpacking, f"--directory={root}"],
                input=outer.extractfile(name).read(),
                check=True,
            )
        return json.load(outer.extractfile(manifest["Config"]))["config"]


def in_container(root: Path, capabilities: Iterable[str]) -> tuple[str, ...]:
    """The prefix of a command to run there as root; needs root."""
    for name in ("proc", "dev"):
        (root / name).mkdir(exist_ok=True)
    kept = ",".join(str(NUMBERS[name]) for name in capabilities)
    # What every runtime gives a container.
    script = f'{MOUNT} --rbind /dev {root}/dev; {MOUNT} -t proc proc {root}/proc; exec "$@"'
    bounded = (sys.executable, "-I", "-c", _BOUNDED, str(root), kept)
    return (UNSHARE, "--mount", "/bin/sh", "-euc", script, "sh", *bounded)

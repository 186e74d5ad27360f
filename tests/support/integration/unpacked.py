"""Pulling with skopeo, unpacking with umoci, and looking at what came out."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
from pathlib import Path


def run(*command, **options):
    """Its output; fails with its error message."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def run_with_podman(podman, image, *command):
    """The output of the container, without network and with limits that any machine allows."""
    return run(
        *(*podman, "--runtime=runc", "run", "--rm", "--network=none"),
        *("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", image, *command),
    )


def unpack(served, name, directory: Path) -> Path:
    """The image's root directory, by way of two clients that check every digest."""
    directory.mkdir(exist_ok=True)
    layout = directory / "layout"
    run(
        *("skopeo", "--override-os=linux", "copy", "--src-tls-verify=false"),
        *(f"docker://{served.image(name)}", f"oci:{layout}:image"),
    )
    run("umoci", "raw", "unpack", "--image", f"{layout}:image", directory / "root")
    config = run("skopeo", "inspect", "--config", "--raw", f"oci:{layout}:image")
    (directory / "config.json").write_text(config)
    return directory / "root"


UNSHARE, MOUNT, CHROOT = (
    shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("unshare", "mount", "chroot")
)


def inside(root, *command):
    """The output of a program that sees only the image: its root, its variables, no network."""
    config = json.loads((root.parent / "config.json").read_text())
    environment = dict(entry.split("=", 1) for entry in config["config"]["Env"])
    enter = f'{MOUNT} --bind /dev $0/dev && exec {CHROOT} $0 "$@"'
    (root / "dev").mkdir(exist_ok=True)  # provided by a container runtime
    return run(
        *(UNSHARE, "--net", "--mount", "/bin/sh", "-c", enter, root, *command), env=environment
    )


def tree(top: Path):
    """Every file below: kind, mode, content or target, by its name's bytes."""
    found = {}
    for directory, _, _ in os.walk(os.fsencode(top)):
        for entry in os.scandir(directory):
            status = entry.stat(follow_symlinks=False)
            found[entry.path[len(os.fsencode(top)) :]] = (
                stat.filemode(status.st_mode),
                _content(entry, status.st_mode),
            )
    return found


def _content(entry, mode):
    if stat.S_ISLNK(mode):
        return os.readlink(entry.path)  # noqa: PTH115 - the name need not be text
    if stat.S_ISREG(mode):
        with open(entry.path, "rb") as file:  # noqa: PTH123 - the name need not be text
            return hashlib.file_digest(file, "sha256").hexdigest()
    return None

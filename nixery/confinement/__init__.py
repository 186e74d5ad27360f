"""Confinement of commands by the kernel: which files they see, and which sockets they may open.

    __init__.py   what a command may have, and the command line that grants it
    launcher.py   the program at the front of that command line, and its own modules:
    landlock.py   files and TCP ports
    seccomp.py    system calls
    kernel.py     calls of the C library

Nix's restricted evaluation is a check inside a program of many features, and was passed by several
of them. What is said here holds for the process and all that it starts, whatever they run.
Landlock does it for files and a seccomp filter for sockets, since both work without privileges and
inside a hardened systemd unit. bubblewrap needs user namespaces, which such a unit forbids.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nixery.errors import ConfigurationError

LAUNCHER = Path(__file__).with_name("launcher.py")
LAUNCHER_FAILED = 125
"""The exit status of a command that could not be confined, and so was not run."""
OOM_SCORE = 500
"""When memory is short the kernel ends what Nix runs, and not the server (oom_score_adj)."""
# Without site-packages and the user's environment: it starts in a third of the time. Not -I, which
# would hide the modules beside the launcher from it.
_START = (sys.executable, "-E", "-s", "-S", str(LAUNCHER))


@dataclass(frozen=True, slots=True)
class Confinement:
    """All that a command may have; paths with everything below them."""

    readable: tuple[Path, ...] = ()
    """May be read and executed."""
    writable: tuple[Path, ...] = ()
    sockets: tuple[str, ...] = ()
    """Families: unix, inet, inet6, netlink."""
    tcp_ports: tuple[int, ...] = ()
    """To which TCP connections may go; without effect before Linux 6.7."""


def command_line(
    command: Sequence[str], confinement: Confinement | None, memory: int | None = None
) -> list[str]:
    """``command``, whose first word is a path, started by the launcher.

    ``memory``: bytes of address space. Whatever is confined, the command is the first to go when
    the machine runs out of memory.
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
    """Raises ConfigurationError where this machine cannot confine; names what it cannot."""
    tried = subprocess.run([*_START, "probe"], check=False, capture_output=True, text=True)
    problems = (tried.stdout + tried.stderr).split("\n")
    reasons = [f"{what}: {why}" for what, _, why in (p.partition(" ") for p in problems) if what]
    if tried.returncode or reasons:
        raise ConfigurationError(
            f"this machine cannot confine evaluation ({'; '.join(reasons)}). Package sets could "
            "read the server's files or use its network; NIXERY_CONFINE=0 accepts that, see "
            "docs/security.md"
        )

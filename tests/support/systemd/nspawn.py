"""A booted systemd: a root directory in systemd-nspawn, on a machine where systemd is not PID 1.

    with boot(root, upper, place, hostname="registry") as booted:
        subprocess.run([*booted.inside, "systemctl", "is-system-running"])

``root`` is never written to: changes go to ``upper``, which may hold files beforehand.
"""

import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

BOOT_SECONDS = 120
"""A boot takes 1.3 s here; this is for machines that are very busy."""
POWER_OFF_SECONDS = 120
"""The same for half a second; longer than any unit may take to stop."""


@dataclass(frozen=True, slots=True)
class Booted:
    leader: int
    """PID 1 of the machine, seen from outside."""
    console: Path
    process: subprocess.Popen[bytes]

    @property
    def inside(self) -> list[str]:
        """The prefix of a command line to run there, as root."""
        namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        environment = ["HOME=/root", "LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin"]
        return [
            *("nsenter", f"--target={self.leader}", *namespaces, "--wdns=/"),
            *("env", "--ignore-environment", *environment),
        ]

    def wait(self, seconds: float) -> bool:
        """Whether the machine has ended within that time."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.returncode is not None


def why_not() -> str | None:
    """The reason why no machine can be booted here, or None."""
    if os.geteuid() != 0:
        return "only root can boot a systemd in a directory"
    missing = [name for name in ("systemd-nspawn", "mmdebstrap") if not shutil.which(name)]
    if missing:
        return f"{' and '.join(missing)} not installed"
    probe = ["unshare", "--mount", "--propagation=private", "true"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        return "no mount namespaces here"
    return None


@contextmanager
def boot(
    root: Path, upper: Path, place: Path, *, hostname: str, network_of: Booted | None = None
) -> Iterator[Booted]:
    """``place``: an empty directory for mounts and logs; ``network_of``: share that machine's."""
    for name in ("work", "root"):
        (place / name).mkdir(exist_ok=True)
    overlay = f"lowerdir={root},upperdir={upper},workdir={place / 'work'}"
    mount = f"mount -t overlay overlay -o {overlay} {place / 'root'}"
    network = (
        "--private-network"  # has nothing but a loopback interface
        if network_of is None
        else f"--network-namespace-path=/proc/{network_of.leader}/ns/net"
    )
    nspawn = [
        *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"),
        # The groups of calls that this machine's systemd allows may be older than Landlock.
        "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
        *(f"--directory={place / 'root'}", network, "--console=read-only", "--notify-ready=yes"),
        # Two machines of one name would share a directory of this machine.
        *(f"--machine={hostname}-{uuid.uuid4().hex[:12]}", f"--hostname={hostname}"),
        "systemd.unit=multi-user.target",
    ]
    console = place / "console"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, console.open("wb") as out:
        # Abstract: a path could be too long for a socket's name.
        notify.bind(f"\0nixery-{uuid.uuid4().hex}")
        process = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--propagation=private",
                "sh",
                "-c",
                f'{mount} && exec "$@"',
                "sh",
                *nspawn,
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ
            | {
                "NOTIFY_SOCKET": "@" + notify.getsockname()[1:].decode(),
                # This machine's cgroups may be of the old kind.
                "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
            },
        )
        try:
            leader = _ready(notify, process, console)
            with _heard(notify):
                yield Booted(leader, console, process)
                _power_off(process)
        finally:
            process.kill()
            process.wait()


def _ready(notify: socket.socket, process: subprocess.Popen[bytes], console: Path) -> int:
    """Waits for the machine's systemd to report that it is up; returns its process."""
    leader = 0
    deadline = time.monotonic() + BOOT_SECONDS
    pidfd = os.pidfd_open(process.pid)
    try:
        while True:
            left = deadline - time.monotonic()
            told, _, _ = select.select([notify, pidfd], [], [], max(left, 0))
            if notify not in told:
                raise AssertionError(f"the machine does not boot:\n{console.read_text()[-3000:]}")
            message = dict(
                line.split("=", 1) for line in notify.recv(4096).decode().splitlines() if line
            )
            leader = int(message.get("X_NSPAWN_LEADER_PID", leader))
            if message.get("READY") == "1":
                return leader
    finally:
        os.close(pidfd)


@contextmanager
def _heard(notify: socket.socket) -> Iterator[None]:
    """Reads all other messages of the machine: with ten messages unread, nspawn blocks."""

    def read() -> None:
        while notify.recv(4096):
            pass

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        notify.shutdown(socket.SHUT_RD)
        reader.join()


def _power_off(process: subprocess.Popen[bytes]) -> None:
    """Like its button."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(POWER_OFF_SECONDS)
    except subprocess.TimeoutExpired:
        raise AssertionError("the machine does not power off") from None

"""The confinement of evaluation by the kernel."""

import os
import resource
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nixery import confinement
from nixery.confinement import Confinement, command_line

SYSTEM = tuple(map(Path, ("/usr", "/bin", "/lib", "/lib64", "/dev/null")))


def run(script, allowed=(), shell="/bin/sh", **options):
    """A shell script, confined to the system's programs and the allowed paths."""
    confined = Confinement(readable=(*SYSTEM, *allowed), **options)
    return subprocess.run(
        command_line([shell, "-c", script], confined),
        check=False,
        capture_output=True,
        text=True,
    )


def test_files(tmp_path):
    """Allowed paths may be read, or written, and no others."""
    (tmp_path / "seen").mkdir()
    (tmp_path / "seen/file").write_text("text")
    (tmp_path / "own").mkdir()
    (tmp_path / "other").write_text("secret")
    script = f"""
        cat {tmp_path}/seen/file; echo >{tmp_path}/seen/file; ls {tmp_path}; cat {tmp_path}/other
        echo >>{tmp_path}/other; rm {tmp_path}/other; ln {tmp_path}/other {tmp_path}/own/link
        cat /proc/1/environ /proc/{os.getpid()}/environ /etc/passwd; ls /proc/1/fd
        cat {tmp_path}/seen/../other; echo mine >{tmp_path}/own/file; cat {tmp_path}/own/file
    """
    done = run(script, [tmp_path / "seen"], writable=(tmp_path / "own",))
    assert done.stdout == "textmine\n"
    assert (tmp_path / "other").read_text() == "secret"


@pytest.mark.parametrize(
    ("sockets", "opened"),
    [((), "-----"), (("unix",), "U----"), (("unix", "inet", "inet6"), "UTtDd")],
)
def test_sockets(sockets, opened):
    """By family. Landlock allows datagrams, and DNS queries can carry secrets."""
    code = (
        "use Socket; print socket(my $s, $$_[1], $$_[2], 0) ? $$_[0] : q(-) for "
        "[U, AF_UNIX, SOCK_STREAM], [T, AF_INET, SOCK_STREAM], [t, AF_INET6, SOCK_STREAM], "
        "[D, AF_INET, SOCK_DGRAM], [d, AF_INET6, SOCK_DGRAM]"
    )
    assert run(f"perl -e '{code}'", sockets=sockets).stdout == opened


def test_ports():
    """Where downloads are allowed: connections to the ports of their addresses only."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        ports = [server.getsockname()[1] for server in (one, two)]
        script = "; ".join(f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo {port}" for port in ports)
        done = run(script, shell="/bin/bash", sockets=("inet",), tcp_ports=(ports[1],))
    assert done.stdout == f"{ports[1]}\n"


def test_ports_by_other_ways():
    """Landlock sees neither MPTCP nor TCP Fast Open, nor a socket that listens without bind."""
    program = """
there = ("127.0.0.1", int(sys.argv[1]))
tell(lambda: socket.socket(proto=262).connect(there))
tell(lambda: socket.socket().sendto(b"text", 0x20000000, there))
tell(lambda: socket.socket().sendmsg([b"text"], [], 0x20000000, there))
tell(lambda: socket.socket().listen())
tell(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"text", there))
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = printed(python(program, server.getsockname()[1], sockets=("inet",)))
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert told == ["refused"] * 4 + ["done"]


def test_all_that_is_started_is_confined(tmp_path):
    """And as the first to go when memory is short."""
    (tmp_path / "secret").write_text("secret")
    script = f"sh -c 'cat {tmp_path}/secret; cat /proc/self/oom_score_adj'"
    allowed = [Path("/proc")]
    assert run(script, allowed).stdout == f"{confinement.OOM_SCORE}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities")
def test_root_without_its_powers(tmp_path):
    """It reads files of others, and that is all: no mounts, modules, clocks, raw sockets or bpf."""
    kept = 1 << 1  # CAP_DAC_OVERRIDE
    done = run("grep -E 'Cap(Prm|Eff)' /proc/self/status", [Path("/proc")], sockets=("inet",))
    assert [int(line.split()[1], 16) & ~kept for line in done.stdout.splitlines()] == [0, 0]
    (tmp_path / "foreign").touch()
    os.chown(tmp_path / "foreign", 1, 1)
    run(f"chmod 777 {tmp_path}/foreign; chown 0 {tmp_path}/foreign")
    status = (tmp_path / "foreign").stat()
    assert (status.st_mode & 0o777, status.st_uid) != (0o777, 0)
    assert status.st_uid == 1


def python(program, *arguments, allowed=(), **options):
    """The output of a confined Python program; it stands for any code."""
    places = (*SYSTEM, Path(sys.base_prefix), *allowed)
    command = [os.path.realpath(sys.executable), "-I", "-S", "-c", PRELUDE + program]
    return command_line([*command, *map(str, arguments)], Confinement(readable=places, **options))


def printed(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


PRELUDE = """
import os, resource, socket, sys
def tell(attempt):
    try:
        attempt()
        print("done")
    except OSError:
        print("refused")
"""


def test_other_processes():
    """Landlock does not cover their limits and priorities: a limit ends a server."""
    program = """
other = int(sys.argv[1])
tell(lambda: resource.prlimit(other, resource.RLIMIT_CPU, (0, 0)))
tell(lambda: os.setpriority(os.PRIO_PROCESS, other, 19))
tell(lambda: os.sched_setaffinity(other, [0]))
tell(lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
"""
    with subprocess.Popen(["sleep", "60"]) as other:
        before = resource.prlimit(other.pid, resource.RLIMIT_CPU)
        assert printed(python(program, other.pid)) == ["refused", "refused", "refused", "done"]
        assert resource.prlimit(other.pid, resource.RLIMIT_CPU) == before
        other.kill()


def test_ipc_with_other_processes():
    """No memory that outlives the command, and no datagram to another process's Unix socket."""
    program = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
tell(lambda: call("shmget", 0, 4096, 0o1600))
tell(lambda: call("semget", 0, 1, 0o1600))
tell(lambda: call("msgget", 0, 0o1600))
tell(lambda: call("mq_open", b"/nixery-test", os.O_CREAT, 0o600, None))
tell(lambda: call("setns", os.open("/dev/null", os.O_RDONLY), 0))
tell(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
tell(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
tell(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))
"""
    assert printed(python(program)) == [*7 * ["refused"], "done"]


def test_user_namespaces():
    """All of root's powers would come back in one."""
    assert run("unshare --user true && echo inside").stdout == ""


def test_nothing_leaves_its_group():
    """The group is ended on timeout; a process that had left it would continue forever."""
    program = """
for leave in (os.setsid, lambda: os.setpgid(0, 0)):
    if os.fork() == 0:
        tell(leave)
        break
else:
    os.wait(), os.wait()
"""
    assert printed(python(program)) == ["refused", "refused"]


OLD_KERNEL = """
import os, sys
sys.path.insert(0, {directory!r})
import launcher
launcher.landlock.version = lambda: 2
launcher.main(sys.argv[1:])
"""


def test_files_that_are_emptied(tmp_path):
    """Before Linux 6.2, Landlock allows truncating a file that may be read."""
    (tmp_path / "file").write_text("text")
    program = """
tell(lambda: os.open(sys.argv[1], os.O_RDONLY | os.O_TRUNC))
tell(lambda: os.truncate(sys.argv[1], 0))
tell(lambda: os.open(sys.argv[1], os.O_RDONLY))
tell(lambda: os.open("/dev/null", os.O_WRONLY | os.O_TRUNC))
"""
    line = python(program, tmp_path / "file", allowed=[tmp_path], writable=(Path("/dev/null"),))
    place = line.index(str(confinement.LAUNCHER))
    old = OLD_KERNEL.format(directory=str(confinement.LAUNCHER.parent))
    told = printed([*line[:place], "-c", old, *line[place + 1 :]])
    assert told == ["refused", "refused", "done", "done"]
    assert (tmp_path / "file").read_text() == "text"


def test_memory_is_shorter_still():
    """A process with a higher OOM score keeps it, because lowering it takes a privilege."""
    line = command_line(
        ["/bin/cat", "/proc/self/oom_score_adj"],
        Confinement(readable=(*SYSTEM, Path("/proc"))),
    )
    first = 'echo 900 >/proc/self/oom_score_adj; exec "$@"'
    assert printed(["/bin/sh", "-c", first, "sh", *line]) == ["900"]


def test_server_that_is_killed():
    """Its evaluation ends with it, because nothing else would end it on timeout."""
    line = command_line(["/bin/sleep", "60"], Confinement(readable=SYSTEM))
    script = (
        "import subprocess, sys\nprint(subprocess.Popen(sys.argv[1:]).pid, flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *line], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        started = os.pidfd_open(int(server.stdout.readline()))
        begun = time.monotonic()
        while Path(f"/proc/{_pid(started)}/comm").read_text() != "sleep\n":
            assert time.monotonic() - begun < 30
            time.sleep(0.02)
        server.kill()
        ended, *_ = select.select([started], [], [], 10)
    os.close(started)
    assert ended


def _pid(descriptor):
    lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("Pid:"))

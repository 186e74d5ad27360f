"""What confines evaluation, and a server that does not start without."""

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
from nixery.backends import open_nix
from nixery.confinement import Confinement, command_line
from nixery.errors import ConfigurationError
from nixery.nix.environment import for_nix
from nixery.nix.machine import Machine, protocols
from nixery.settings import load

SYSTEM = tuple(map(Path, ("/usr", "/bin", "/lib", "/lib64", "/dev/null")))
FORBID = """
import ctypes, os, sys
sys.path.insert(0, {directory!r})
import seccomp
forbidden = {forbidden}
code = [(seccomp._LOAD, 0, 0, 0), *seccomp._refuse(seccomp._EQUAL, forbidden[0], 38)]
if forbidden[1] is not None:  # only with this first argument
    code = [
        (seccomp._LOAD, 0, 0, 0), (seccomp._EQUAL, 1, 0, forbidden[0]),
        (seccomp._RETURN, 0, 0, seccomp._ALLOW), (seccomp._LOAD, 0, 0, 16),
        *seccomp._refuse(seccomp._EQUAL, forbidden[1], 22),
    ]
code.append((seccomp._RETURN, 0, 0, seccomp._ALLOW))
seccomp.install(code)
os.execvp(sys.argv[1], sys.argv[1:])
"""
LANDLOCK = (444, None)
CAPSET = (126 if os.uname().machine == "x86_64" else 91, None)
SECCOMP = (157 if os.uname().machine == "x86_64" else 167, 22)  # prctl(PR_SET_SECCOMP)


def run(script, allowed=(), **options):
    """A shell script, confined to the system's programs and the allowed paths."""
    confined = Confinement(readable=(*SYSTEM, *allowed), **options)
    return subprocess.run(
        command_line(["/bin/sh", "-c", script], confined),
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
        confined = Confinement(readable=SYSTEM, sockets=("inet",), tcp_ports=(ports[1],))
        done = subprocess.run(
            command_line(["/bin/bash", "-c", script], confined),
            check=False,
            capture_output=True,
            text=True,
        )
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


def test_confinement_that_fails():
    """The command is not run."""
    line = command_line(["/bin/echo", "run"], Confinement(readable=SYSTEM))
    done = _without(LANDLOCK, line)
    assert (done.returncode, done.stdout) == (confinement.LAUNCHER_FAILED, "")
    assert done.stderr.startswith("error: /bin/echo cannot be run confined: the kernel has no Land")


@pytest.mark.parametrize(
    ("forbidden", "named"),
    [
        (LANDLOCK, "files: "),
        (SECCOMP, "network: "),
        pytest.param(
            CAPSET,
            "privileges: ",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root has powers to drop"),
        ),
    ],
    ids=["files", "network", "privileges"],
)
def test_server_that_cannot_confine(tmp_path, forbidden, named):
    """It ends before it listens, and names what is missing; the operator may accept that."""
    nixery = str(Path(sys.executable).with_name("nixery"))
    settings = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "NIXERY_PKGS_PATH": str(tmp_path / "set"),
        "NIXERY_STORAGE_BACKEND": "filesystem",
        "STORAGE_PATH": str(tmp_path / "storage"),
        "NIXERY_ALLOW_IFD": "0",
        "PORT": "0",
    }
    (tmp_path / "set").mkdir()
    (tmp_path / "set/default.nix").write_text("{ }")
    done = _without(forbidden, [nixery, "serve"], env=settings)
    assert done.returncode == 2
    assert "this machine cannot confine evaluation" in done.stderr
    assert named in done.stderr
    assert "NIXERY_CONFINE=0" in done.stderr


def _without(forbidden, command, **options):
    """Runs a command for which the kernel lacks a system call, or one with that argument."""
    directory = str(confinement.LAUNCHER.parent)
    script = FORBID.format(directory=directory, forbidden=forbidden)
    return subprocess.run(
        [sys.executable, "-c", script, *command],
        check=False,
        capture_output=True,
        text=True,
        **options,
    )


def test_import_from_derivation_without_a_daemon(tmp_path):
    """The sandbox of its builds cannot be set up within: said at the start, not by each image."""
    given = {
        "NIXERY_PKGS_PATH": str(tmp_path),
        "NIXERY_STORAGE_BACKEND": "filesystem",
        "STORAGE_PATH": str(tmp_path),
        "NIXERY_ALLOW_IFD": "1",
    }
    alone, with_daemon = {"NIX_REMOTE": "/srv/store"}, {"NIX_REMOTE": "daemon"}
    with pytest.raises(ConfigurationError, match="NIX_REMOTE=daemon, or NIXERY_CONFINE=0"):
        open_nix(load(given | alone), alone)
    assert open_nix(load(given | with_daemon), with_daemon)
    assert open_nix(load(given | alone | {"NIXERY_CONFINE": "0"}), alone)


@pytest.mark.parametrize(
    ("uris", "proxy", "ports"),
    [
        (["https://github.com/"], "", (53, 80, 443)),
        (["http://h.test:8081/", "ssh://git.test/"], "", (22, 53, 80, 443, 8081)),
        (["git+ssh://git.test"], "http://p.test:3128", (22, 53, 80, 443, 3128)),
        (["github:NixOS", "https://h.test:port/"], "", (53, 80, 443)),
    ],
)
def test_ports_of_uris(uris, proxy, ports):
    machine = Machine({"https_proxy": proxy, "NIX_REMOTE": "daemon"})
    assert machine.evaluation([], Path("/own"), uris).tcp_ports == ports


def test_protocols_of_uris():
    assert protocols(["git+ssh://git.test", "https://h.test", "github:a"]) == ("https", "ssh")


def test_what_evaluation_may_write():
    """With a daemon only its home; otherwise the store and its database are writable."""
    home = Path("/own")
    of_daemon = Machine(for_nix({"NIX_REMOTE": "daemon?trusted=1"})).evaluation([], home, ())
    assert set(of_daemon.writable) == {home, Path("/dev/null")}
    assert of_daemon.sockets == ("unix",)
    alone = Machine(for_nix({"NIX_REMOTE": "/srv/store"})).evaluation([], home, ())
    assert set(alone.writable) == {home, Path("/dev/null"), Path("/srv/store")}
    assert alone.sockets == ()


@pytest.mark.parametrize("remote", ["/", "//", "/usr/..", "local?root=//", "local:////"])
def test_store_at_the_root(remote):
    """However it is written: the machine's own store is written to, and not the machine."""
    machine = Machine(for_nix({"NIX_REMOTE": remote}))
    writable = machine.evaluation([], Path("/own"), ()).writable
    assert set(writable) == {Path("/own"), Path("/dev/null"), Path("/nix")}


@pytest.mark.parametrize(
    ("remote", "program", "replaceable"),
    [
        ("/srv/it", "/srv/it/nix/store/x/bin/nix", True),
        ("/srv/it", "/usr/bin/nix", False),
        ("daemon", "/nix/store/x/bin/nix", False),
    ],
)
def test_programs_in_a_store_that_evaluation_writes_to(remote, program, replaceable):
    assert Machine(for_nix({"NIX_REMOTE": remote})).can_be_replaced([program]) is replaceable


def test_path_that_holds_the_home():
    """A directory of programs may be read, but not all that is the service's."""
    machine = Machine({"PATH": "/usr/bin:/srv/it:/srv/it/bin:/:bin", "HOME": "/srv/it/home"})
    readable = machine.client(Path("/own"), ()).readable
    assert Path("/srv/it/bin") in readable
    assert not {Path("/"), Path("/srv/it"), Path("bin"), Path("/srv/it/home")} & set(readable)

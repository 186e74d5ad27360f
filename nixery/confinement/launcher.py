"""Confines itself by means of the kernel, then becomes a command.

    python -I -S launcher.py OPTION… -- COMMAND ARGUMENT…        COMMAND is a path
    python -I -S launcher.py probe

    read=PATH      may be read and executed, with all that lies below
    write=PATH     may be read and changed, with all that lies below
    sockets=NAMES  socket families that may be opened, for example ``unix,inet``; empty for none
    tcp=PORTS      TCP ports that may be connected to, where the kernel can tell (Linux 6.7)
    memory=BYTES   address space
    oom=NUMBER     oom_score_adj: which process the kernel ends first when memory is short

Files are confined by Landlock as soon as one path is given, sockets by a seccomp filter as soon as
``sockets`` is. Paths that do not exist are skipped. Neither needs privileges, and both hold for
everything that the command starts. ``probe`` tries both on itself: one line for each that does not
work, ``files REASON`` or ``network REASON``.

This file is a program of its own that starts with every Nix command, so it imports the standard
library's smallest parts only.

Sources: https://docs.kernel.org/userspace-api/landlock.html
https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import os
import sys

STATUS = 125
"""The exit status where the confinement fails and the command is not run."""

_LIBC = ctypes.CDLL(None, use_errno=True)

# --- Landlock: numbers of linux/landlock.h ------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_PATH_BENEATH, _NET_PORT = 1, 2
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_KNOWN_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL_FILE_RIGHTS = (1 << 16) - 1  # from version 5 on


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class _NetPort(ctypes.Structure):
    _fields_ = (("allowed_access", ctypes.c_uint64), ("port", ctypes.c_uint64))


# --- seccomp: numbers of linux/seccomp.h, linux/filter.h and linux/audit.h ----------------------

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
# Offsets in struct seccomp_data: of the number, and of the lower halves of the arguments.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, (16, 24, 32, 40)
_X32 = 0x40000000  # x86-64 kernels may know each system call a second time from here on
_IO_URING_SETUP = 425  # opens sockets past the filter
_EPERM, _ENOSYS, _EACCES, _EOPNOTSUPP = 1, 38, 13, 95
_CLONE3, _OPENAT2 = 435, 437  # a filter cannot see their flags; programs then use others
# By machine: the audit architecture, and the numbers of system calls.
_MACHINES = {
    "x86_64": (
        0xC000003E,
        {"open": 2, "openat": 257, "sendto": 44, "sendmsg": 46, "listen": 50, "sendmmsg": 307}
        | {"socket": 41, "clone": 56, "truncate": 76, "setpgid": 109, "setsid": 112}
        | {"setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144}
        | {"sched_setaffinity": 203, "add_key": 248, "request_key": 249, "keyctl": 250}
        | {"ioprio_set": 251, "unshare": 272, "perf_event_open": 298, "prlimit64": 302}
        | {"sched_setattr": 314, "bpf": 321},
    ),
    "aarch64": (
        0xC00000B7,
        {"openat": 56, "listen": 201, "sendto": 206, "sendmsg": 211, "sendmmsg": 269}
        | {"ioprio_set": 30, "truncate": 45, "unshare": 97, "sched_setparam": 118}
        | {"sched_setscheduler": 119, "sched_setaffinity": 122, "setpriority": 140}
        | {"setpgid": 154, "setsid": 157, "socket": 198, "add_key": 217, "request_key": 218}
        | {"keyctl": 219, "clone": 220, "perf_event_open": 241, "prlimit64": 261}
        | {"sched_setattr": 274, "bpf": 280},
    ),
}
_NEVER = (
    *("setsid", "setpgid"),  # what leaves the group outlives the command
    *("setpriority", "ioprio_set", "sched_setparam", "sched_setscheduler", "sched_setaffinity"),
    *("sched_setattr", "add_key", "request_key", "keyctl", "perf_event_open", "bpf"),
    "listen",  # takes a port of its own where bind(2) was not asked
)
_UDP = 17  # behind it are MPTCP and others, which Landlock does not take for TCP
_FAST_OPEN = 0x20000000  # MSG_FASTOPEN: a connection without connect(2), which Landlock misses
_TRUNCATED, _HOW = 0o1000, 0o1003  # O_TRUNC, and with it the bits of the access mode
_ALL_BITS, _NEW_USER_NAMESPACE = 0xFFFFFFFF, 0x10000000
_FAMILIES = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jt", ctypes.c_uint8),
        ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


_DAC_OVERRIDE = 1 << 1  # number of linux/capability.h


class UnavailableError(Exception):
    """The kernel cannot do this; the message says why."""


def main(arguments: list[str]) -> None:
    if arguments == ["probe"]:
        print(*probe(), sep="\n")  # noqa: T201 - its result
        return
    end = arguments.index("--")
    options = [option.partition("=")[::2] for option in arguments[:end]]
    command = arguments[end + 1 :]
    try:
        apply(options)
        os.execv(command[0], command)  # noqa: S606 - what it is for
    except (OSError, UnavailableError) as error:
        sys.stderr.write(f"error: {command[0]} cannot be run confined: {error}\n")
        sys.exit(STATUS)


def apply(options: list[tuple[str, str]]) -> None:
    """Raises UnavailableError or OSError where the kernel refuses."""
    one = dict(options)
    paths = [(kind, path) for kind, path in options if kind in ("read", "write")]
    if "oom" in one:
        with open("/proc/self/oom_score_adj", "r+") as file:  # noqa: PTH123 - pathlib is large
            # Lowering it takes a privilege; Kubernetes starts containers with up to 1000.
            if int(file.read()) < int(one["oom"]):
                file.seek(0)
                file.write(one["oom"])
    if "memory" in one:
        import resource  # noqa: PLC0415 - only evaluation has this limit

        resource.setrlimit(resource.RLIMIT_AS, (int(one["memory"]),) * 2)
    if not paths and "sockets" not in one:
        return
    # A server that is killed ends nothing itself, and nobody would look at the time any more.
    _succeed(_LIBC.prctl(1, 9, 0, 0, 0), "parent_death_signal")  # PR_SET_PDEATHSIG, SIGKILL
    drop_capabilities()
    _succeed(_LIBC.prctl(38, 1, 0, 0, 0), "no_new_privs")  # PR_SET_NO_NEW_PRIVS
    if paths:
        confine_files(paths, [int(port) for port in one.get("tcp", "").split(",") if port])
    if "sockets" in one:
        confine_sockets([name for name in one["sockets"].split(",") if name])


def drop_capabilities() -> None:
    """Where the server is root, its command may pass by the modes of files, and no more."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the higher halves
    _succeed(_LIBC.capget(header, data), "capget")
    kept = _DAC_OVERRIDE & data[1]
    data[:] = [kept, kept, 0, 0, 0, 0]
    _succeed(_LIBC.capset(header, data), "capset")


def confine_files(paths: list[tuple[str, str]], tcp_ports: list[int]) -> None:
    """From now on only these paths, and where the kernel can tell, TCP to these ports only."""
    version = _landlock_version()
    rights = _KNOWN_FILE_RIGHTS.get(version, _ALL_FILE_RIGHTS)
    attributes = _Ruleset(rights, _BIND_TCP | _CONNECT_TCP, _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _LIBC.syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    _succeed(ruleset, "landlock_create_ruleset")
    for kind, path in paths:
        _allow(ruleset, path, rights if kind == "write" else _READ & rights)
    for port in tcp_ports if version >= 4 else ():
        rule = _NetPort(_CONNECT_TCP, port)
        _succeed(_LIBC.syscall(_ADD_RULE, ruleset, _NET_PORT, ctypes.byref(rule), 0), "tcp")
    _succeed(_LIBC.syscall(_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _landlock_version() -> int:
    version: int = _LIBC.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        raise UnavailableError(
            f"the kernel has no Landlock ({os.strerror(ctypes.get_errno())}): it takes Linux 5.13 "
            "with landlock among its security modules, and a system call filter that allows it"
        )
    return version


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # also what may not be looked at: nothing is lost by not allowing it
    # A directory may be asked for as a file's name: rights of directories are an error for files.
    is_directory = (os.fstat(descriptor).st_mode & 0o170000) == 0o040000
    rule = _PathBeneath(rights if is_directory else rights & _OF_FILES, descriptor)
    _succeed(_LIBC.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0), path)
    os.close(descriptor)


def confine_sockets(families: list[str]) -> None:
    """From now on only sockets of these families can be opened, and other processes left alone.

    Landlock covers signals from version 6 on, but never another process's limits and priorities.
    """
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise UnavailableError(f"the numbers of system calls on {machine} are not known")
    architecture, numbers = _MACHINES[machine]
    allowed = [_FAMILIES[name] for name in families]
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *_refuse(_AT_LEAST, _X32, _ENOSYS),
        *_refuse(_EQUAL, _IO_URING_SETUP, _ENOSYS),
        *_refuse(_EQUAL, _CLONE3, _ENOSYS),
        *(step for name in _NEVER for step in _refuse(_EQUAL, numbers[name], _EPERM)),
        *_refuse_where(numbers["prlimit64"], (0, _ANY_BIT, _ALL_BITS), _EPERM),  # another process
        *_refuse_where(numbers["clone"], (0, _ANY_BIT, _NEW_USER_NAMESPACE), _EPERM),
        *_refuse_where(numbers["unshare"], (0, _ANY_BIT, _NEW_USER_NAMESPACE), _EPERM),
        *_refuse_where(numbers["socket"], (2, _AT_LEAST, _UDP + 1), _EACCES),
        *_refuse_where(numbers["sendto"], (3, _ANY_BIT, _FAST_OPEN), _EOPNOTSUPP),
        *_refuse_where(numbers["sendmsg"], (2, _ANY_BIT, _FAST_OPEN), _EOPNOTSUPP),
        *_refuse_where(numbers["sendmmsg"], (3, _ANY_BIT, _FAST_OPEN), _EOPNOTSUPP),
        *(_refuse_truncation(numbers) if _truncates_anything() else ()),
        (_EQUAL, 1, 0, numbers["socket"]),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _ARGUMENTS[0]),
        *(step for family in allowed for step in ((_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW))),
        (_RETURN, 0, 0, _ERRNO | _EACCES),
    ]
    install(code)


def install(code: list[tuple[int, int, int, int]]) -> None:
    """A filter for system calls; each step is an instruction of classic BPF."""
    instructions = (_Instruction * len(code))(*(_Instruction(*step) for step in code))
    program = _Program(len(code), instructions)
    # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    _succeed(_LIBC.prctl(22, 2, ctypes.byref(program), 0, 0), "seccomp")


def _refuse(comparison: int, number: int, error: int) -> tuple[tuple[int, int, int, int], ...]:
    return (comparison, 0, 1, number), (_RETURN, 0, 0, _ERRNO | error)


def _refuse_where(
    number: int, condition: tuple[int, int, int], error: int, mask: int = _ALL_BITS
) -> tuple[tuple[int, int, int, int], ...]:
    """The call only where the lower half of an argument compares so with a value."""
    argument, comparison, value = condition
    return (
        (_EQUAL, 0, 5, number),
        (_LOAD, 0, 0, _ARGUMENTS[argument]),
        (_AND, 0, 0, mask),
        (comparison, 0, 1, value),
        (_RETURN, 0, 0, _ERRNO | error),
        (_LOAD, 0, 0, _NUMBER),
    )


def _refuse_truncation(numbers: dict[str, int]) -> tuple[tuple[int, int, int, int], ...]:
    """Landlock looks after it from version 3 on; before, who may read a file may empty it."""
    opening = [
        (numbers[name], flags) for name, flags in (("open", 1), ("openat", 2)) if name in numbers
    ]
    return (
        *_refuse(_EQUAL, numbers["truncate"], _EPERM),
        *_refuse(_EQUAL, _OPENAT2, _ENOSYS),
        *(
            step
            for number, flags in opening  # only to read: what is opened to write is looked at
            for step in _refuse_where(number, (flags, _EQUAL, _TRUNCATED), _EPERM, _HOW)
        ),
    )


def _truncates_anything() -> bool:
    return int(_LIBC.syscall(_CREATE_RULESET, None, 0, 1)) < 3


def _succeed(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def probe() -> list[str]:
    """What this machine cannot confine, each with the reason; tried on this process itself."""
    problems = []
    try:
        _succeed(_LIBC.prctl(38, 1, 0, 0, 0), "no_new_privs")
        confine_files([("read", "/dev/null")], [])
        if not _is_refused(lambda: os.listdir("/")):  # noqa: PTH208 - pathlib is large
            problems.append("files Landlock does not hold here")
    except (OSError, UnavailableError) as error:
        problems.append(f"files {error}")
    try:
        confine_sockets([])
        if not _is_refused(_open_socket):
            problems.append("network the system call filter does not hold here")
    except (OSError, UnavailableError) as error:
        problems.append(f"network {error}")
    return problems


def _open_socket() -> None:
    # Not Python's own socket module: after Landlock it cannot be loaded any more.
    descriptor = _LIBC.socket(2, 2, 0)
    _succeed(descriptor, "socket")
    os.close(descriptor)


def _is_refused(attempt: "object") -> bool:
    try:
        attempt()  # type: ignore[operator]
    except OSError:
        return True
    return False


if __name__ == "__main__":
    main(sys.argv[1:])

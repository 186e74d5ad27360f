"""Confinement of system calls by a seccomp filter: sockets, and access to other processes.

Source: https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import os

TYPE_CHECKING = False  # importing typing takes longer than all modules here
if TYPE_CHECKING:
    from nixery.confinement.kernel import LIBC, UnavailableError, succeed
else:
    from kernel import LIBC, UnavailableError, succeed

# Constants of linux/seccomp.h, linux/filter.h and linux/audit.h.
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
# Offsets in struct seccomp_data: of the number, and of the lower halves of the arguments.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, (16, 24, 32, 40)
_X32 = 0x40000000  # on x86-64, system calls may exist a second time from here on
_IO_URING_SETUP = 425  # opens sockets without socket(2)
_EPERM, _ENOSYS, _EACCES, _EOPNOTSUPP = 1, 38, 13, 95
_CLONE3, _OPENAT2 = (
    435,
    437,
)  # a filter cannot inspect their flags; programs fall back to other calls
# By machine: the audit architecture, and the numbers of system calls.
_MACHINES = {
    "x86_64": (
        0xC000003E,
        {"open": 2, "openat": 257, "sendto": 44, "sendmsg": 46, "listen": 50, "sendmmsg": 307}
        | {"socket": 41, "clone": 56, "truncate": 76, "setpgid": 109, "setsid": 112}
        | {"setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144}
        | {"sched_setaffinity": 203, "add_key": 248, "request_key": 249, "keyctl": 250}
        | {"ioprio_set": 251, "unshare": 272, "perf_event_open": 298, "prlimit64": 302}
        | {"sched_setattr": 314, "bpf": 321, "socketpair": 53, "setns": 308}
        | {"open_by_handle_at": 304, "shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64}
        | {"semop": 65, "semctl": 66, "semtimedop": 220, "msgget": 68, "msgsnd": 69}
        | {"msgrcv": 70, "msgctl": 71, "mq_open": 240},
    ),
    "aarch64": (
        0xC00000B7,
        {"openat": 56, "listen": 201, "sendto": 206, "sendmsg": 211, "sendmmsg": 269}
        | {"ioprio_set": 30, "truncate": 45, "unshare": 97, "sched_setparam": 118}
        | {"sched_setscheduler": 119, "sched_setaffinity": 122, "setpriority": 140}
        | {"setpgid": 154, "setsid": 157, "socket": 198, "add_key": 217, "request_key": 218}
        | {"keyctl": 219, "clone": 220, "perf_event_open": 241, "prlimit64": 261}
        | {"sched_setattr": 274, "bpf": 280, "socketpair": 199, "setns": 268}
        | {"open_by_handle_at": 265, "shmget": 194, "shmat": 196, "shmctl": 195, "semget": 190}
        | {"semop": 193, "semctl": 191, "semtimedop": 192, "msgget": 186, "msgsnd": 189}
        | {"msgrcv": 188, "msgctl": 187, "mq_open": 180},
    ),
}
_NEVER = (
    *("setsid", "setpgid"),  # a process outside of the group would outlive the command
    *("setpriority", "ioprio_set", "sched_setparam", "sched_setscheduler", "sched_setaffinity"),
    *("sched_setattr", "add_key", "request_key", "keyctl", "perf_event_open", "bpf"),
    # System V and POSIX IPC: other processes' data, and memory that outlives the command.
    *("shmget", "shmat", "shmctl", "semget", "semop", "semctl", "semtimedop"),
    *("msgget", "msgsnd", "msgrcv", "msgctl", "mq_open"),
    *("setns", "open_by_handle_at"),  # enter existing namespaces
    "listen",  # binds a free port if bind(2) was not called
)
_UDP = 17  # above it are MPTCP and others, which Landlock does not treat as TCP
_DATAGRAM, _SOCKET_TYPE = 2, 0xF
_FAST_OPEN = 0x20000000  # MSG_FASTOPEN: connects without connect(2), which Landlock does not see
_TRUNCATED, _HOW = 0o1000, 0o1003  # O_TRUNC, and the same with the bits of the access mode
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


def confine_sockets(families: list[str], *, refuse_truncation: bool = False) -> None:
    """Allows only sockets of these families, and no access to other processes.

    Landlock covers signals from version 6 on, but never the limits and priorities of other
    processes.
    """
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise UnavailableError(f"the system call numbers of {machine} are unknown")
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
        *_refuse_where(
            numbers["prlimit64"], (0, _ANY_BIT, _ALL_BITS), _EPERM
        ),  # of another process
        *_refuse_where(numbers["clone"], (0, _ANY_BIT, _NEW_USER_NAMESPACE), _EPERM),
        *_refuse_where(numbers["unshare"], (0, _ANY_BIT, _NEW_USER_NAMESPACE), _EPERM),
        *_refuse_where(numbers["socket"], (2, _AT_LEAST, _UDP + 1), _EACCES),
        # Datagrams can be sent from a pair to any Unix socket.
        *_refuse_where(numbers["socketpair"], (1, _EQUAL, _DATAGRAM), _EACCES, _SOCKET_TYPE),
        *_refuse_where(numbers["sendto"], (3, _ANY_BIT, _FAST_OPEN), _EOPNOTSUPP),
        *_refuse_where(numbers["sendmsg"], (2, _ANY_BIT, _FAST_OPEN), _EOPNOTSUPP),
        *_refuse_where(numbers["sendmmsg"], (3, _ANY_BIT, _FAST_OPEN), _EOPNOTSUPP),
        *(_refuse_truncation(numbers) if refuse_truncation else ()),
        (_EQUAL, 1, 0, numbers["socket"]),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _ARGUMENTS[0]),
        *(step for family in allowed for step in ((_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW))),
        (_RETURN, 0, 0, _ERRNO | _EACCES),
    ]
    install(code)


def install(code: list[tuple[int, int, int, int]]) -> None:
    """Installs a filter of system calls; each step is an instruction of classic BPF."""
    instructions = (_Instruction * len(code))(*(_Instruction(*step) for step in code))
    program = _Program(len(code), instructions)
    # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    succeed(LIBC.prctl(22, 2, ctypes.byref(program), 0, 0), "seccomp")


def _refuse(comparison: int, number: int, error: int) -> tuple[tuple[int, int, int, int], ...]:
    return (comparison, 0, 1, number), (_RETURN, 0, 0, _ERRNO | error)


def _refuse_where(
    number: int, condition: tuple[int, int, int], error: int, mask: int = _ALL_BITS
) -> tuple[tuple[int, int, int, int], ...]:
    """Refuses the call if the lower half of an argument compares true with a value."""
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
    opening = [
        (numbers[name], flags) for name, flags in (("open", 1), ("openat", 2)) if name in numbers
    ]
    return (
        *_refuse(_EQUAL, numbers["truncate"], _EPERM),
        *_refuse(_EQUAL, _OPENAT2, _ENOSYS),
        *(
            step
            for number, flags in opening  # read-only opens: Landlock checks opens for writing
            for step in _refuse_where(number, (flags, _EQUAL, _TRUNCATED), _EPERM, _HOW)
        ),
    )

"""Confinement of files and TCP by Landlock, for the calling process and its children.

Source: https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os

TYPE_CHECKING = False  # importing typing takes longer than all modules here
if TYPE_CHECKING:
    from nixery.confinement.kernel import LIBC, UnavailableError, succeed
else:
    from kernel import LIBC, UnavailableError, succeed

# Constants of linux/landlock.h.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_PATH_BENEATH, _NET_PORT = 1, 2
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_KNOWN_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL_FILE_RIGHTS = (1 << 16) - 1  # from version 5 on
COVERS_TRUNCATION = 3
"""The first version that covers truncation. Before it, a readable file can be emptied."""


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


def confine_files(paths: list[tuple[str, str]], tcp_ports: list[int]) -> None:
    """Allows only these paths, and if the kernel supports it, TCP only to these ports.

    ``paths``: pairs of a kind, ``read`` or ``write``, and a path.
    """
    known = version()
    rights = _KNOWN_FILE_RIGHTS.get(known, _ALL_FILE_RIGHTS)
    attributes = _Ruleset(rights, _BIND_TCP | _CONNECT_TCP, _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)
    size = 8 if known < 4 else 16 if known < 6 else 24
    ruleset = LIBC.syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    succeed(ruleset, "landlock_create_ruleset")
    for kind, path in paths:
        _allow(ruleset, path, rights if kind == "write" else _READ & rights)
    for port in tcp_ports if known >= 4 else ():
        rule = _NetPort(_CONNECT_TCP, port)
        succeed(LIBC.syscall(_ADD_RULE, ruleset, _NET_PORT, ctypes.byref(rule), 0), "tcp")
    succeed(LIBC.syscall(_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def version() -> int:
    """Landlock's version in this kernel. Raises UnavailableError if it has none."""
    answer: int = LIBC.syscall(_CREATE_RULESET, None, 0, 1)
    if answer < 1:
        raise UnavailableError(
            f"the kernel has no Landlock ({os.strerror(ctypes.get_errno())}): this needs Linux "
            "5.13 or newer with landlock among its security modules, and a system call filter "
            "that allows it"
        )
    return answer


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # missing or inaccessible: nothing to allow
    # The name may be that of a file, for which rights of directories are an error.
    is_directory = (os.fstat(descriptor).st_mode & 0o170000) == 0o040000
    rule = _PathBeneath(rights if is_directory else rights & _OF_FILES, descriptor)
    succeed(LIBC.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0), path)
    os.close(descriptor)

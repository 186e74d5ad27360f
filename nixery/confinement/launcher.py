"""Launcher: confines itself with the kernel's means, then becomes a command.

    python -E -s -S launcher.py OPTION… -- COMMAND ARGUMENT…        COMMAND is a path
    python -E -s -S launcher.py probe

    read=PATH      may be read and executed, with everything below it
    write=PATH     may be read and changed, with everything below it
    sockets=NAMES  socket families that may be opened, for example ``unix,inet``; empty for none
    tcp=PORTS      TCP ports that may be connected to, if the kernel supports it (Linux 6.7)
    memory=BYTES   limit of the address space
    oom=NUMBER     oom_score_adj: which process the kernel kills first if memory is short

Landlock confines files if at least one path is given, and a seccomp filter confines sockets if
``sockets`` is given. Missing paths are skipped. Neither needs privileges, and both apply to all
children of the command. ``probe`` tries both on itself, and prints a line for each that fails:
``files REASON``, ``network REASON`` or ``privileges REASON``.
"""

import ctypes
import os
import sys

TYPE_CHECKING = False  # importing typing takes longer than all modules here
if TYPE_CHECKING:
    from nixery.confinement import landlock, seccomp
    from nixery.confinement.kernel import LIBC, UnavailableError, succeed
else:
    import landlock
    import seccomp
    from kernel import LIBC, UnavailableError, succeed

STATUS = 125
"""Exit status if confinement failed and the command was not run."""

_DAC_OVERRIDE = 1 << 1  # of linux/capability.h


def main(arguments: list[str]) -> None:
    if arguments == ["probe"]:
        print(*probe(), sep="\n")  # noqa: T201 - its result
        return
    end = arguments.index("--")
    options = [option.partition("=")[::2] for option in arguments[:end]]
    command = arguments[end + 1 :]
    try:
        apply(options)
        os.execv(command[0], command)  # noqa: S606 - its purpose
    except (OSError, UnavailableError) as error:
        sys.stderr.write(f"error: {command[0]} cannot be run confined: {error}\n")
        sys.exit(STATUS)


def apply(options: list[tuple[str, str]]) -> None:
    """Raises UnavailableError or OSError if the kernel refuses."""
    one = dict(options)
    paths = [(kind, path) for kind, path in options if kind in ("read", "write")]
    if "oom" in one:
        with open("/proc/self/oom_score_adj", "r+") as file:  # noqa: PTH123 - pathlib is large
            # Lowering it needs a privilege, and Kubernetes starts containers with up to 1000.
            if int(file.read()) < int(one["oom"]):
                file.seek(0)
                file.write(one["oom"])
    if "memory" in one:
        import resource  # noqa: PLC0415 - only evaluation has this limit

        resource.setrlimit(resource.RLIMIT_AS, (int(one["memory"]),) * 2)
    if not paths and "sockets" not in one:
        return
    # If the server is killed, nothing else would end this process or watch its timeout.
    succeed(LIBC.prctl(1, 9, 0, 0, 0), "parent_death_signal")  # PR_SET_PDEATHSIG, SIGKILL
    drop_capabilities()
    succeed(LIBC.prctl(38, 1, 0, 0, 0), "no_new_privs")  # PR_SET_NO_NEW_PRIVS
    if paths:
        landlock.confine_files(paths, [int(port) for port in one.get("tcp", "").split(",") if port])
    if "sockets" in one:
        families = [name for name in one["sockets"].split(",") if name]
        truncates = bool(paths) and landlock.version() < landlock.COVERS_TRUNCATION
        seccomp.confine_sockets(families, refuse_truncation=truncates)


def drop_capabilities() -> None:
    """Drops all capabilities; if the server is root, keeps the one to bypass file modes."""
    succeed(LIBC.prctl(47, 4, 0, 0, 0), "cap_ambient")  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
    if 0 not in os.getresuid():
        return  # the next exec drops them all, and hardened units forbid capset
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the upper halves
    succeed(LIBC.capget(header, data), "capget")
    kept = _DAC_OVERRIDE & data[1]
    data[:] = [kept, kept, 0, 0, 0, 0]
    succeed(LIBC.capset(header, data), "capset")


def probe() -> list[str]:
    """What this machine cannot confine, each with the reason. Confines the calling process."""
    problems = []
    try:
        drop_capabilities()
        succeed(LIBC.prctl(38, 1, 0, 0, 0), "no_new_privs")
    except OSError as error:
        problems.append(f"privileges {error}")
    try:
        landlock.confine_files([("read", "/dev/null")], [])
        if not _is_refused(lambda: os.listdir("/")):  # noqa: PTH208 - pathlib is large
            problems.append("files Landlock has no effect here")
    except (OSError, UnavailableError) as error:
        problems.append(f"files {error}")
    try:
        seccomp.confine_sockets([])
        if not _is_refused(_open_socket):
            problems.append("network the system call filter has no effect here")
    except (OSError, UnavailableError) as error:
        problems.append(f"network {error}")
    return problems


def _open_socket() -> None:
    # Python's socket module cannot be imported after Landlock is active.
    descriptor = LIBC.socket(2, 2, 0)
    succeed(descriptor, "socket")
    os.close(descriptor)


def _is_refused(attempt: "object") -> bool:
    try:
        attempt()  # type: ignore[operator]
    except OSError:
        return True
    return False


if __name__ == "__main__":
    main(sys.argv[1:])

"""Processes that a test started, seen from outside."""

import os
from pathlib import Path
from select import select


def ended(pid):
    """Whether the process has ended; a signal takes a moment to do its work."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    readable, _, _ = select([process], [], [], 10)
    os.close(process)
    return bool(readable)


def with_environment(text):
    """The ids of the processes whose environment holds the text."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:  # gone, or another user's
            continue
        if text.encode() in environment:
            found.append(int(process.name))
    return found


def owner(pid):
    """The id of the user that the process runs as."""
    return Path(f"/proc/{pid}").stat().st_uid

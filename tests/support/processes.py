"""Processes that a test started, observed from outside."""

import os
from pathlib import Path
from select import select


def ended(pid):
    """Whether the process ends within half a minute; a busy disk may delay it for seconds."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    readable, _, _ = select([process], [], [], 30)
    os.close(process)
    return bool(readable)


def with_environment(text):
    """Ids of the processes whose environment contains the text."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:  # ended, or another user's
            continue
        if text.encode() in environment:
            found.append(int(process.name))
    return found


def owner(pid):
    """Id of the user that the process runs as."""
    return Path(f"/proc/{pid}").stat().st_uid

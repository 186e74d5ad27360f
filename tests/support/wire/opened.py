"""Open descriptors of this process; a difference of two shows what a test left open."""

import os
from contextlib import suppress


def opened():
    """Descriptors, each with its target.

    Use the difference, not the number: descriptors that earlier tests left to threads or to the
    garbage collector are closed at any time.
    """
    descriptors = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, no paths
        with suppress(FileNotFoundError):
            descriptors.add((number, os.readlink(f"/proc/self/fd/{number}")))  # noqa: PTH115 - same
    return descriptors

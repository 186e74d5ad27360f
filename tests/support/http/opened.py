"""What this process has open; two looks are compared to see what a test left open."""

import os
from contextlib import suppress


def opened():
    """Descriptors, each with what it stands for.

    Subtract one look from another, and do not count: what earlier tests have left to threads or
    to the garbage collector is closed whenever it likes.
    """
    descriptors = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, no paths
        with suppress(FileNotFoundError):
            descriptors.add((number, os.readlink(f"/proc/self/fd/{number}")))  # noqa: PTH115 - same
    return descriptors

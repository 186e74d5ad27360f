"""Calls of the C library for the launcher, with errors as exceptions.

The launcher starts with every Nix command, so its modules import the standard library's smallest
parts only.
"""

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)


class UnavailableError(Exception):
    """The kernel cannot do this; the message says why."""


def succeed(result: int, what: str) -> None:
    """Raises OSError with the name of the call if its result says that it failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")

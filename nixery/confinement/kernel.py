"""Calls of the C library for the launcher, with errors as exceptions.

The launcher starts with every Nix command, so its modules import only small parts of the standard
library.
"""

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)


class UnavailableError(Exception):
    """The kernel does not support this; the message says why."""


def succeed(result: int, what: str) -> None:
    """Raises OSError with the name of the call if ``result`` signals an error."""
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")

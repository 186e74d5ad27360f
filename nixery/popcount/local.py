"""What a path of the command line means in this machine's store.

Nix runs in ``/``, and takes what is no store path for a flake: it would look for ``./result`` in
the wrong directory, and for ``result`` in a registry on the network. So it gets store paths only.
"""

import os
from pathlib import Path

from nixery.closure import StorePath
from nixery.errors import NixeryError
from nixery.popcount.narinfo import STORE

LINKS = 40  # as many as Linux follows


def in_store(path: str) -> StorePath:
    """The path below the store that it names, or that links lead to. Raises NixeryError.

    Links are followed until the first place in the store, as Nix does: a store path may be a link.
    What is in the store is for Nix to say; its files may be elsewhere (NIX_REMOTE).
    """
    try:
        place = Path(path).absolute()
        for _ in range(LINKS):
            if str(place).startswith(STORE):
                return str(place)
            place = Path(os.path.realpath(place.parent)) / place.name
            if place.is_symlink():
                place = place.parent / place.readlink()
    except OSError as error:
        raise NixeryError(f"{path} cannot be read: {error.strerror}") from None
    raise NixeryError(f"{path} is no store path, and no link to one: name what is below {STORE}")

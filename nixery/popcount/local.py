"""Store paths of this machine that the command line names.

Nix runs in ``/``, and treats what is not a store path as a flake: it would look for ``./result`` in
the wrong directory, and for ``result`` in a registry on the network. So it gets only store paths.
"""

import os
from pathlib import Path

from nixery.closure import StorePath
from nixery.errors import NixeryError
from nixery.popcount.narinfo import STORE

LINKS = 40  # the limit of Linux


def in_store(path: str) -> StorePath:
    """The store path that ``path`` or its links name. Raises NixeryError.

    Follows links up to the first one in the store, like Nix: a store path may be a link. Does not
    check the store path, whose files may be elsewhere (NIX_REMOTE).
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
    raise NixeryError(f"{path} is not a store path or a link to one: name something below {STORE}")

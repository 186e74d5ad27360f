"""``replica.py [--without-leases] serve``: a server whose bucket has a clock that a test moves."""

import sys

from nixery.cli import main
from nixery.storage.clock import ServerClock
from nixery.storage.gcs import storage


class MovedClock(ServerClock):
    """Asks each time, where the real one caches the answer for ten minutes."""

    def __init__(self, ask):
        super().__init__(ask, renew=-1)


if __name__ == "__main__":
    storage.ServerClock = MovedClock
    if "--without-leases" in sys.argv:
        sys.argv.remove("--without-leases")
        storage.GcsStorage.conditional = False
    main()

"""The blobs of the tests, and their timeouts."""

import random

from nixery.storage.bucket import Patience

IMPATIENT = Patience(deadline=60, stall=10, connect=5, pause=0.001)
CHUNK = 1 << 20
"""Bytes per request in these tests: an eighth of the server's."""
LARGE = random.Random(1).randbytes(2 * CHUNK + 1)
"""Two chunks and a bit."""
HASTY = Patience(deadline=60, stall=0.5, connect=2, pause=0.001)
"""If the machine is so busy that a valid answer takes longer, the request is repeated."""
GIVES_UP = Patience(deadline=0.05, stall=0.2, connect=2, pause=0.001)

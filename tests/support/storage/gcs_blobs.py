"""What the tests send, and how long they wait for an answer."""

import random

from nixery.storage.bucket import Patience

IMPATIENT = Patience(deadline=60, stall=10, connect=5, pause=0.001)
CHUNK = 1 << 20
"""Bytes that a request sends or asks for in these tests: an eighth of what servers send."""
LARGE = random.Random(1).randbytes(2 * CHUNK + 1)
"""Two chunks and a bit."""
HASTY = Patience(deadline=60, stall=0.5, connect=2, pause=0.001)
"""Where the machine is so busy that an honest answer takes longer, the request is repeated."""
GIVES_UP = Patience(deadline=0.05, stall=0.2, connect=2, pause=0.001)

"""A real HTTP server for tests, whose requests go wrong when a test wants it.

    server = FaultyServer(answer, refuse)
    server.faults.add(r"PUT /upload", Status(503), times=2)

    faults.py    what can go wrong with a request, before and after it took effect
    server.py    reads a request, lets a fault happen, sends the answer

``tests/fake_gcs`` answers by itself; in front of a server of somebody else's, ``forward_to`` does.
"""

from support.faulty_http.faults import Corrupt, Faults, LoseAnswer, Reset, Stall, Status, Truncate
from support.faulty_http.server import Answer, FaultyServer, Request, forward_to

__all__ = [
    "Answer",
    "Corrupt",
    "Faults",
    "FaultyServer",
    "LoseAnswer",
    "Request",
    "Reset",
    "Stall",
    "Status",
    "Truncate",
    "forward_to",
]

"""A real HTTP server for tests, with faults on request.

    server = FaultyServer(answer, refuse)
    server.faults.add(r"PUT /upload", Status(503), times=2)

    faults.py    faults of a request, before and after it took effect
    server.py    reads a request, injects a fault, sends the answer

``support.fake_gcs`` gives its own answers; ``forward_to`` puts it in front of another server.
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

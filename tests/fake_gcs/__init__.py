"""A Google Cloud Storage that does what the documentation says, and fails when a test wants it.

    server = FakeGcs()                     a real HTTP server on a free port, in threads
    bucket = server.buckets["images"]      its objects, for tests to look at and to damage
    server.faults.add(r"PUT /upload", Status(503), times=2)
    server.stop()

    faults.py      what can go wrong with a request, before and after it took effect
    objects.py     buckets, objects, generations, preconditions
    uploads.py     uploads in one request, and resumable ones
    api.py         the JSON API over both: metadata, lists, rewrites, downloads
    access.py      tokens, permissions, signed addresses, IAM
    server.py      HTTP: reads a request, lets a fault happen, sends the answer

Each behaviour names the page of https://cloud.google.com that says it. Packaged emulators ignore
preconditions on resumable uploads, copies and deletes, and take any signature; this one does not.
"""

from fake_gcs.faults import Corrupt, LoseAnswer, Reset, Stall, Status, Truncate
from fake_gcs.server import FakeGcs

__all__ = ["Corrupt", "FakeGcs", "LoseAnswer", "Reset", "Stall", "Status", "Truncate"]

"""A Google Cloud Storage that follows its documentation, with faults on request.

    server = FakeGcs()                     a real HTTP server on a free port, in threads
    bucket = server.buckets["images"]      its objects, for tests to read and to damage
    server.faults.add(r"PUT /upload", Status(503), times=2)
    server.stop()

    objects.py     buckets, objects, generations, preconditions
    uploads.py     uploads in one request, and resumable ones
    api.py         the JSON API over both: metadata, lists, rewrites, downloads
    access.py      tokens, permissions, signed addresses, IAM

Each behaviour names the page of https://cloud.google.com that documents it. Packaged emulators
ignore preconditions on resumable uploads, copies and deletes, and accept any signature; this one
does not.
"""

import time

from support.fake_gcs.api import Api
from support.fake_gcs.objects import ApiError, Bucket
from support.faulty_http import FaultyServer


class FakeGcs(FaultyServer):
    """``clock``: the bucket's time; it dates answers and objects, and ends signed addresses."""

    def __init__(self, clock=time.time):
        self.api = Api(clock)
        super().__init__(
            self.api.answer,
            lambda fault: self.api.refuse(ApiError(fault.code, fault.reason)),
            clock,
        )

    @property
    def buckets(self) -> dict[str, Bucket]:
        return self.api.buckets

    def make_bucket(self, name: str) -> Bucket:
        return self.buckets.setdefault(name, Bucket(name, self.api.clock))

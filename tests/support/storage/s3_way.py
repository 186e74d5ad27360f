"""A proxy in front of moto with faults, and the blobs of the tests."""

import random
import re

from nixery.storage.bucket import Patience
from nixery.storage.s3.staging import md5
from support.faulty_http import (
    Answer,
    FaultyServer,
    Status,
    forward_to,
)

IMPATIENT = Patience(deadline=60, stall=10, connect=5, pause=0.001)
HASTY = Patience(deadline=60, stall=0.5, connect=2, pause=0.001)
GIVES_UP = Patience(deadline=0.05, stall=0.2, connect=2, pause=0.001)
PART = 1 << 20
"""Bytes per request in these tests: an eighth of the server's."""
LARGE = random.Random(1).randbytes(2 * PART + 1)


def refuse(fault):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses."""
    body = f"<Error><Code>{fault.reason}</Code><Message>injected</Message></Error>"
    return Answer(fault.code, {"Content-Type": "application/xml"}, body.encode())


class Way(FaultyServer):
    """To moto, with faults, and with checks of S3 that moto lacks."""

    def __init__(self, moto):
        self.conditions = "kept"  # or "forgotten", or "refused"
        self._forward = forward_to(moto)
        super().__init__(self.pass_on, refuse)

    def pass_on(self, request):
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html: Content-MD5
        given = request.headers.get("content-md5")
        if given and not request.broken and given != md5(request.body):
            return refuse(Status(400, "BadDigest"))
        if request.method in ("PUT", "DELETE"):
            for name in ("if-match", "if-none-match"):
                if name in request.headers and self.conditions == "refused":
                    return refuse(Status(501, "NotImplemented"))
                if self.conditions == "forgotten":
                    request.headers.pop(name, None)
        return self._forward(request)


def requests_of(way, call):
    way.log.clear()
    call()
    return [re.sub(r" /[^/]+/(\w*).*?(\?\w+)?.*", r" \1\2", line) for line in way.log]

"""What servers ask of a bucket."""

import pytest

from nixery.oci import digest_of
from nixery.storage import put

SMALL = b"a small blob"

every_call = pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda storage: put(storage, SMALL), id="put"),
        pytest.param(lambda storage: storage.locate(digest_of(SMALL)), id="locate"),
        pytest.param(lambda storage: storage.read("builds/key"), id="read"),
        pytest.param(lambda storage: storage.write("builds/key", b""), id="write"),
        pytest.param(lambda storage: list(storage.list("builds/")), id="list"),
        pytest.param(lambda storage: storage.check(), id="check"),
    ],
)

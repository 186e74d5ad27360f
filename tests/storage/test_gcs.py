"""Google Cloud Storage: what is sent to the bucket, and what happens when it fails."""

import random
import threading
import time
from itertools import pairwise

import pytest
from faulty_http import Corrupt, LoseAnswer, Reset, Stall, Status, Truncate

from nixery.errors import StorageFull, StorageUnavailable
from nixery.oci import digest_of
from nixery.storage import Blob, Condition, Remote, gcs, layer_key, put
from nixery.storage.gcs import staging
from nixery.storage.gcs import storage as operations
from nixery.storage.patience import Patience

IMPATIENT = Patience(deadline=60, stall=10, connect=5, pause=0.001)
SMALL = b"a small blob"
CHUNK = 1 << 20
"""Bytes that a request sends or asks for in these tests: an eighth of what servers send."""
LARGE = random.Random(1).randbytes(2 * CHUNK + 1)
"""Two chunks and a bit."""
HASTY = Patience(deadline=60, stall=0.5, connect=2, pause=0.001)
"""Where the machine is so busy that an honest answer takes longer, the request is repeated."""
GIVES_UP = Patience(deadline=0.05, stall=0.2, connect=2, pause=0.001)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    assert staging.CHUNK == 8 << 20
    monkeypatch.setattr(staging, "CHUNK", CHUNK)
    monkeypatch.setattr(operations, "PIECE", CHUNK)


@pytest.fixture
def connect(google, bucket):
    def connect(patience):
        return gcs.connect(bucket.name, emulator=google.url, patience=patience)

    return connect


@pytest.fixture
def storage(connect):
    return connect(IMPATIENT)


@pytest.fixture
def hasty(connect):
    return connect(HASTY)


@pytest.fixture
def requests(google, bucket):
    """The requests that a call makes: method and what tells its kind, in their order."""

    def made_by(call):
        google.log.clear()
        call()
        return [f"{line.split('/')[0].strip()} {_kind(line, bucket.name)}" for line in google.log]

    return made_by


def _kind(line, bucket):
    for kind in ("uploadType=resumable", "uploadType=multipart", "rewriteTo", "alt=media"):
        if kind in line:
            return kind
    return line.partition(f"{bucket}/o")[2].partition("%2F")[0].partition("?")[0].strip("/")


def test_a_blob_is_staged_copied_and_swept(requests, storage, google):
    def write():
        with storage.stage() as upload:
            for start in range(0, len(LARGE), 1 << 20):
                upload.write(LARGE[start : start + (1 << 20)])
            upload.publish()

    assert requests(write) == [
        "POST uploadType=resumable",
        *["PUT uploadType=resumable"] * 3,
        "POST rewriteTo",
        "DELETE staging",
    ]
    (copied,) = [line for line in google.log if "rewriteTo" in line]
    assert "ifGenerationMatch=0" in copied


def test_what_lies_in_the_bucket(storage, bucket):
    blob = put(storage, LARGE)
    assert list(bucket) == [layer_key(blob.digest)]
    assert bucket[layer_key(blob.digest)].data == LARGE
    assert bucket[layer_key(blob.digest)].fields["contentType"] == "application/octet-stream"
    storage.write("builds/key", b"{}")
    assert bucket["builds/key"].fields["contentType"] == "application/json"


def test_a_blob_that_is_given_up_is_cancelled(storage, bucket, google):
    before = dict(google.api.uploads.sessions)

    def fail_half_way():
        with storage.stage() as upload:
            upload.write(LARGE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert bucket == {}
    assert google.api.uploads.sessions == before


def test_a_copy_that_takes_several_calls(storage, bucket, google):
    google.api.rewrite_step = CHUNK
    try:
        blob = put(storage, LARGE)
    finally:
        google.api.rewrite_step = None
    assert bucket[layer_key(blob.digest)].data == LARGE
    assert sum("rewriteToken" in line for line in google.log) >= 2


def test_a_blob_that_is_there_is_renewed_and_not_replaced(storage, bucket):
    """Somebody may be reading it, and its generation is in their hands."""
    blob = put(storage, SMALL)
    first = bucket[layer_key(blob.digest)]
    generation, metageneration = first.generation, first.metageneration
    put(storage, SMALL)
    again = bucket[layer_key(blob.digest)]
    assert again.generation == generation
    assert again.metageneration > metageneration


@pytest.mark.parametrize(
    "damaged", [b"", SMALL[:-1], SMALL[:-1] + b"!"], ids=["empty", "torn", "rotten"]
)
def test_a_blob_that_is_not_what_its_name_says_is_replaced(storage, bucket, google, damaged):
    key = layer_key(digest_of(SMALL))
    there = bucket.put(key, damaged, {}, {})
    put(storage, SMALL)
    assert bucket[key].data == SMALL
    assert f"ifGenerationMatch={there.generation}" in "".join(google.log)


def test_one_of_many_gets_what_is_not_there(connect):
    """Eight replicas ask for one lease at once."""
    storages = [connect(IMPATIENT) for _ in range(8)]
    start = threading.Barrier(8)
    won = []

    def take(storage):
        start.wait()
        won.append(storage.write("leases/key", b"mine", Condition.ABSENT) is not None)

    threads = [threading.Thread(target=take, args=(storage,)) for storage in storages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_a_list_of_several_pages(storage, google):
    google.api.page = 2
    try:
        for number in range(5):
            storage.write(f"builds/{number}", b"")
        assert sorted(stat.key for stat in storage.list("builds/")) == [
            f"builds/{number}" for number in range(5)
        ]
    finally:
        google.api.page = 1000


def test_streaming_ranges_of_one_generation(storage):
    blob = put(storage, LARGE)
    location = storage.locate(blob.digest)
    assert isinstance(location, Remote)
    pieces = list(location.read(0, len(LARGE)))
    assert b"".join(pieces) == LARGE
    assert all(len(piece) >= 1 << 20 for piece, _ in pairwise(pieces))
    assert b"".join(location.read(CHUNK - 3, 7)) == LARGE[CHUNK - 3 : CHUNK + 4]
    assert list(location.read(5, 0)) == []


@pytest.mark.parametrize("sent", [0, 1], ids=["before", "within"])
def test_a_blob_that_is_replaced_while_it_is_streamed(storage, bucket, sent):
    """Half of the one and half of the other would be neither."""
    blob = put(storage, LARGE)
    location = storage.locate(blob.digest)
    pieces = location.read(0, len(LARGE))
    for _ in range(sent):
        next(pieces)
    bucket.put(layer_key(blob.digest), LARGE, {}, {})
    with pytest.raises(StorageUnavailable):
        list(pieces)


@pytest.mark.parametrize(
    "request_line",
    [
        pytest.param(r"POST /upload", id="start"),
        pytest.param(r"PUT /upload", id="chunk"),
        pytest.param(r"POST .*/rewriteTo/", id="copy"),
        pytest.param(r"DELETE .*/staging", id="sweep"),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        Status(429),
        Status(503),
        Status(500),
        Reset(),
        Reset(after=CHUNK // 3),
        LoseAnswer(),
        Stall(),
    ],
    ids=repr,
)
def test_an_upload_survives(hasty, bucket, google, request_line, fault):
    google.faults.add(request_line, fault, times=2)
    blob = put(hasty, LARGE)
    assert bucket[layer_key(blob.digest)].data == LARGE
    assert list(bucket) == [layer_key(blob.digest)]


@pytest.mark.parametrize(
    "fault",
    [Status(429), Status(503), Reset(), Stall(), Stall(after=100), Truncate(100)],
    ids=repr,
)
@pytest.mark.parametrize("line", ["alt=media", "GET .*projection"], ids=["content", "metadata"])
def test_reading_survives(hasty, bucket, google, line, fault):
    blob = Blob(digest_of(LARGE), len(LARGE))
    bucket.put(layer_key(blob.digest), LARGE, {}, {})
    google.faults.add(line, fault, times=2)
    assert hasty.read(layer_key(blob.digest)).data == LARGE
    google.faults.clear()
    google.faults.add(line, fault, times=2)
    assert b"".join(hasty.locate(blob.digest).read(0, len(LARGE))) == LARGE


@pytest.mark.parametrize(
    ("line", "call"),
    [
        pytest.param("POST", lambda storage: storage.write("builds/key", b"value"), id="write"),
        pytest.param("GET", lambda storage: list(storage.list("layers/")), id="list"),
        pytest.param(
            "PATCH",
            lambda storage: storage.touch(storage.stat(layer_key(digest_of(SMALL)))),
            id="touch",
        ),
        pytest.param(
            "DELETE",
            lambda storage: storage.delete(storage.stat(layer_key(digest_of(SMALL)))),
            id="delete",
        ),
        pytest.param(
            "rewrite", lambda storage: storage.quarantine(digest_of(SMALL)), id="quarantine"
        ),
    ],
)
@pytest.mark.parametrize("fault", [Status(503), LoseAnswer(), Stall()], ids=repr)
def test_everything_else_survives(hasty, google, line, call, fault):
    put(hasty, SMALL)
    google.faults.add(line, fault)
    call(hasty)


def test_a_lost_answer_is_no_lost_lease(storage, google):
    """The request is repeated, and meets what it wrote the first time."""
    google.faults.add("POST /upload", LoseAnswer())
    taken = storage.write("leases/key", b"mine", Condition.ABSENT)
    assert taken == storage.stat("leases/key")
    google.faults.add("POST /upload", LoseAnswer())
    assert storage.write("leases/key", b"mine again", taken) is not None
    assert storage.write("leases/key", b"yours", Condition.ABSENT) is None


@pytest.mark.parametrize(
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
@pytest.mark.parametrize("fault", [Status(503), Reset(), Stall()], ids=repr)
def test_what_keeps_failing_ends(connect, google, call, fault):
    """With an answer that says when to come again, after a bounded number of attempts."""
    google.faults.add(".", fault, times=1000)
    begun = time.monotonic()
    with pytest.raises(StorageUnavailable) as caught:
        call(connect(GIVES_UP))
    assert time.monotonic() - begun < 20  # the library's own limits are 60 and 120 seconds
    assert caught.value.http_status("friendly") == 503
    assert caught.value.retry_after
    assert caught.value.log


def test_a_failed_upload_leaves_no_blob(connect, bucket, google):
    google.faults.add("PUT /upload", Status(503), times=1000)
    with pytest.raises(StorageUnavailable):
        put(connect(GIVES_UP), SMALL)
    google.faults.clear()
    assert bucket == {}


def test_a_quota_that_is_used_up(storage, google):
    google.faults.add("POST /upload", Status(403, "quotaExceeded"))
    with pytest.raises(StorageFull):
        put(storage, SMALL)


def test_a_bit_that_flips_in_an_upload(storage, bucket, google):
    """The bucket's checksum is not ours: nothing appears."""
    google.faults.add("PUT /upload", Corrupt(5))
    with pytest.raises(StorageUnavailable):
        put(storage, SMALL)
    assert bucket == {}
    google.faults.add("uploadType=multipart", Corrupt(-60))
    with pytest.raises(StorageUnavailable):
        storage.write("builds/key", bytes(100))
    assert bucket == {}


def test_a_bit_that_flips_in_a_download(storage, google):
    """Small objects are read again."""
    storage.write("builds/key", b"value")
    google.faults.add("alt=media", Corrupt(2))
    assert storage.read("builds/key").data == b"value"
    google.faults.add("alt=media", Corrupt(2), times=1000)
    with pytest.raises(StorageUnavailable):
        storage.read("builds/key")


def test_a_copy_that_is_not_the_source(storage, bucket, monkeypatch):
    """A bucket that does not do its work is not believed."""
    place = bucket.put
    monkeypatch.setattr(
        bucket,
        "put",
        lambda name, data, *rest: place(
            name, data[1:] if name.startswith("layers/") else data, *rest
        ),
        raising=False,
    )
    with pytest.raises(StorageUnavailable, match="other bytes"):
        put(storage, SMALL)
    assert bucket == {}


def test_an_object_that_others_renew_is_renewed(connect, bucket, google):
    """GCS takes one change of an object a second; whoever made it, the object is in use."""
    storage = connect(GIVES_UP)
    seen = storage.write("builds/key", b"value")
    google.faults.add("PATCH", Status(429, "rateLimitExceeded"), times=1000)
    with pytest.raises(StorageUnavailable):
        storage.touch(seen)
    bucket["builds/key"].patch({}, google.clock())
    assert storage.touch(seen) == storage.stat("builds/key")

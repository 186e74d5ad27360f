"""Damaged records in the storage are misses and never exceptions.

Another server may share the bucket, a disk may rot, a key to the storage may leak.
"""

import asyncio
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_images import FakeImages
from support.security.fuzzing import LARGE_INPUTS, sampled
from support.security.rotten_records import RAW, every_replaced, json_texts, mutants
from support.stored import DAY, Stored, sha

from nixery.cache.layers import LayerCache
from nixery.cache.layers import parse as decode_build
from nixery.cache.manifests import ManifestCache
from nixery.cache.manifests import decode as decode_entry
from nixery.cache.plans import Plans, StoredPlan
from nixery.cache.plans import decode as decode_plan
from nixery.closure import Closure, PathInfo
from nixery.gc import KeepBytes, OlderThan, collect
from nixery.gc.survey import is_ours, references
from nixery.http.app import create_app
from nixery.http.pages import About
from nixery.layers.tables import EMPTY, Units, encode_popularity, encode_units
from nixery.learning import child
from nixery.learning.requested_images import RequestedImages
from nixery.lease import Leases
from nixery.oci import Format
from nixery.popcount.journal import Journal
from nixery.storage import layer_key, put
from nixery.storage.memory import MemoryStorage
from nixery.tables import request_record, stored
from nixery.tables.current import CurrentTables
from nixery.tables.files import recognise
from nixery.tables.published import Published, decode_pointer
from nixery.verify import verify

pytestmark = LARGE_INPUTS
NOW = 1_000_000.0
PATHS = tuple(f"/nix/store/{n}-tool-1.0" for n in range(3))
CLOSURE = Closure(tuple(PathInfo(path, 1, tuple(PATHS[n + 1 :])) for n, path in enumerate(PATHS)))
ASKED = request_record.RequestRecord(PATHS[:1], CLOSURE)
POPULARITY = encode_popularity(EMPTY.popularity)
UNITS = encode_units(Units((("git", "pcre2"), ("curl",), ("zlib",)), {20: ((1, 2),)}))
START = request_record.encode(ASKED)


def sound():
    """A storage with one of each kind of record, and the key of each by its kind."""
    storage = MemoryStorage(lambda: NOW)
    image = Stored(storage).image("git", b"libc", b"git")
    outputs, build = sha("outputs git"), sha(f"build {b'git'!r}")
    Plans(storage).agree(sha("tools"), StoredPlan((PATHS,), {"units": sha("")}), CLOSURE)
    published = Published(storage)
    for kind, table in (("popularity", POPULARITY), ("units", UNITS), ("start", START)):
        published.publish(kind, table, published.current(kind))
    storage.write("asked/x", request_record.encode(ASKED, [image.manifests[Format.OCI].digest]))
    asyncio.run(Leases(storage).take("build"))
    keys = {
        "entry": f"manifests/{outputs}",
        "build": f"builds/{build}",
        "plan": f"plans/{sha('tools')}",
        "pointer": "tables/units/current",
        "asked": "asked/x",
        "lease": "leases/build",
    }
    return storage.objects, keys


SOUND, KEYS = sound()
MANIFEST = decode_entry(SOUND[KEYS["entry"]]).manifests[Format.OCI].data
TABLES = {"popularity": b'{"glibc-2.38":9000,"zlib":4000}', "units": UNITS, "start": START}


def rotten(good):
    """Bytes that may replace these."""
    return mutants(good) | json_texts().map(lambda text: text.encode(errors="surrogatepass"))


def storage_with(key, data):
    storage = MemoryStorage(lambda: NOW)
    storage.objects |= SOUND | {key: data}
    return storage


@pytest.mark.parametrize("kind", KEYS)
@given(data=st.data())
@sampled(40)
def test_every_reader_survives_any_record(tmp_path_factory, kind, data):
    key = KEYS[kind]
    storage = storage_with(key, data.draw(rotten(SOUND[key])))

    directory = tmp_path_factory.mktemp("state")
    for outputs in (sha("outputs git"), sha("source git")):
        ManifestCache(storage, directory).find(outputs)
    LayerCache(storage).find(sha(f"build {b'git'!r}"))
    assert Plans(storage).agree(sha("tools"), StoredPlan((PATHS,), {}), CLOSURE).layers
    CurrentTables(Published(storage), ("popularity", "units")).load()
    json.dumps(stored.tables(storage))
    Leases(storage)._take("build")
    images = RequestedImages(storage, lambda work: work()).latest()
    child.answer(child.request(images, START, UNITS, 12))
    verify(storage)
    for policy in (KeepBytes(0), OlderThan(0)):
        collect(storage, policy, sleep=lambda _: None)


@pytest.mark.parametrize("kind", KEYS)
def test_no_value_in_a_record_stops_its_reader(kind):
    """Neither ``"size": 1e999`` nor any other, at any place."""
    read = {
        "entry": decode_entry,
        "build": decode_build,
        "plan": decode_plan,
        "pointer": decode_pointer,
        "asked": request_record.decode,
        "lease": lambda data: Leases(storage_with(KEYS["lease"], data))._take("build"),
    }[kind]
    count = 0
    for data in every_replaced(SOUND[KEYS[kind]]):
        read(data)
        references(data)
        is_ours(data)
        count += 1
    assert count >= len(RAW)


@pytest.mark.parametrize("kind", KEYS)
def test_an_unreadable_record_does_not_stay_for_ever(kind):
    """It is replaced when the record is made again, or removed by gc."""
    clock = [NOW]
    storage = storage_with(KEYS[kind], b'{"size": 1e999}')
    storage._clock = lambda: clock[0]
    storage.write(KEYS[kind], b'{"size": 1e999}')
    clock[0] += 2 * DAY
    RequestedImages(storage, lambda work: work()).latest()
    published = Published(storage)
    published.publish("units", UNITS, published.current("units"))
    collect(storage, KeepBytes(1 << 40), sleep=lambda _: None)
    assert storage.objects.get(KEYS[kind]) != b'{"size": 1e999}'


@pytest.mark.parametrize("kind", TABLES)
@given(data=st.data())
@sampled(60)
def test_images_are_planned_with_any_table(kind, data):
    """Published under its own hash, as anybody with a key to the storage can do it."""
    storage = storage_with("", b"")
    published, table = Published(storage), data.draw(rotten(TABLES[kind]))
    published.publish(kind, table, published.current(kind))
    tables, _ = CurrentTables(published, ("popularity", "units")).load()
    for path in PATHS:
        tables.popularity.of(path)
    assert tables.units.groups(94) is not None
    start, units = (table if kind == name else TABLES[name] for name in ("start", "units"))
    child.answer(child.request([START], start, units, 12))
    if found := recognise(table):
        assert recognise(found[1]) == found


@given(data=st.data())
@sampled(60)
def test_any_blob_requested_as_a_manifest_is_served_or_unknown(data):
    storage = MemoryStorage(lambda: NOW)
    blob = put(storage, data.draw(rotten(MANIFEST)))

    async def get():
        app = create_app(images=FakeImages({}), storage=storage, about=About(source=""))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://registry.test"
        ) as client:
            return await client.get(f"/v2/x/manifests/{blob.digest}")

    assert asyncio.run(get()).status_code in (200, 404)
    verify(storage)
    collect(storage, KeepBytes(1 << 40))
    assert layer_key(blob.digest) in storage.objects


@given(data=st.data())
@sampled(100)
def test_one_line_of_a_journal_does_not_hide_the_others(tmp_path_factory, data):
    good = json.dumps([PATHS[0], 7, [PATHS[1]]]).encode()
    file = tmp_path_factory.mktemp("journal") / "narinfo.jsonl"
    file.write_bytes(data.draw(rotten(good)).replace(b"\n", b" ") + b"\n" + good + b"\n")
    with Journal(file).opened() as journal:
        assert journal.known[PATHS[0]] == PathInfo(PATHS[0], 7, (PATHS[1],))

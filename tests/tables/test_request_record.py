"""Packages with their graph, as bytes; unreadable records are ignored."""

import json

import pytest
from support.tables.tools import asked

from nixery.tables.request_record import decode, encode

DIGEST = "sha256:" + "1" * 64


def test_a_record_holds_packages_and_their_graph():
    found = asked("git", "curl")
    assert decode(encode(found, [DIGEST])) == (found, (DIGEST,))


GOOD = json.loads(encode(asked("git")))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"packages": [3]},
        {"packages": [-1]},
        {"packages": [True]},
        {"packages": None},
        {"manifests": ["sha256:x"]},
        {"manifests": [1]},
        {"paths": [["a-b", -1, []]]},
        {"paths": [["a-b", 1, [1]], ["a-b", 1, []]]},
        {"paths": [["a-b", 1]]},
        {"paths": [[1, 1, []]]},
    ],
    ids=repr,
)
def test_invalid_records_are_none(change):
    assert decode(json.dumps(GOOD)) is not None
    assert decode(json.dumps(GOOD | change)) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000])
def test_garbage_is_none(data):
    assert decode(data) is None

"""Digests and the one encoding of a value."""

import pytest

from nixery.errors import DigestInvalid
from nixery.oci import canonical_json, digest_of, hexdigits, parse_digest


def test_a_digest_is_read_back():
    digest = digest_of(b"")
    assert digest.startswith("sha256:e3b0c442")
    assert parse_digest(digest) == digest
    assert hexdigits(digest) == digest.split(":")[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "latest",
        "sha256:baddigeststring",
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 64 + "\n",
        "sha512:" + "a" * 128,
        "sha256:../../../../etc/passwd",
    ],
)
def test_invalid_digests(text):
    with pytest.raises(DigestInvalid):
        parse_digest(text)


def test_canonical_json_has_one_spelling():
    assert canonical_json({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'.encode()

"""Headers of manifests and blobs: the requests of real clients, and their answers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixery.http.headers import (
    Part,
    Unsatisfiable,
    applies_range,
    content_headers,
    etag,
    header_value,
    is_known,
    negotiate,
    parse_range,
)
from nixery.oci import Format, digest_of

OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

SKOPEO = [
    OCI,
    DOCKER,
    SCHEMA_1,
    "application/vnd.docker.distribution.manifest.v1+json",
    LIST,
    INDEX,
]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], Format.OCI, id="no Accept"),
        pytest.param([""], Format.OCI, id="empty"),
        pytest.param(["*/*"], Format.OCI, id="curl"),
        pytest.param(["application/*"], Format.OCI, id="application"),
        pytest.param(SKOPEO, Format.OCI, id="skopeo: six lines"),
        pytest.param([f"{DOCKER}, {LIST}, {OCI}, {INDEX}, */*"], Format.OCI, id="containerd"),
        pytest.param([OCI], Format.OCI, id="crane, a child by digest"),
        pytest.param([DOCKER], Format.DOCKER, id="Docker schema 2 only"),
        pytest.param([f"{DOCKER},{LIST},{SCHEMA_1}"], Format.DOCKER, id="before OCI"),
        pytest.param([DOCKER, INDEX], Format.DOCKER, id="an OCI index is no manifest"),
        pytest.param([LIST], Format.DOCKER, id="a list only"),
        pytest.param([SCHEMA_1], Format.DOCKER, id="schema 1 only"),
        pytest.param(["application/json"], Format.DOCKER, id="neither"),
        pytest.param([OCI.upper()], Format.OCI, id="case"),
        pytest.param([f"{OCI}; charset=utf-8"], Format.OCI, id="parameters"),
        pytest.param([f"{OCI};q=0.1, {DOCKER};q=1"], Format.OCI, id="a low quality is taken"),
        pytest.param([f"{OCI};q=0, {DOCKER}"], Format.DOCKER, id="q=0"),
        pytest.param([f"{OCI} ; Q = 0.000 , */*"], Format.DOCKER, id="q=0.000 with spaces"),
        pytest.param(["*/*;q=0", OCI], Format.OCI, id="nothing but OCI"),
        pytest.param(["application/*;q=0, */*", DOCKER], Format.DOCKER, id="the family is refused"),
        pytest.param([f"{OCI};q=0", OCI], Format.OCI, id="taken after all"),
        pytest.param([OCI, f"{OCI};q=0"], Format.OCI, id="the same in another order"),
        pytest.param([f"{OCI};q=0.001"], Format.OCI, id="the least quality"),
        pytest.param([f"{OCI};q=rubbish"], Format.OCI, id="no quality at all"),
        pytest.param([",,;q=0,", DOCKER], Format.DOCKER, id="empty items"),
    ],
)
def test_format(lines, expected):
    """OCI where the client accepts it, otherwise Docker schema 2."""
    assert negotiate(lines) is expected


def test_order_is_irrelevant():
    """Docker sends its types in random order."""
    lines = [*SKOPEO, f"{DOCKER};q=0.5"]
    for seed in range(50):
        shuffled = random.Random(seed).sample(lines, len(lines))
        assert negotiate(shuffled) is Format.OCI
        assert negotiate([", ".join(shuffled)]) is Format.OCI


DIGEST = digest_of(b"one")
OTHER = digest_of(b"two")


@pytest.mark.parametrize(
    ("lines", "known"),
    [
        pytest.param([], False, id="none"),
        pytest.param([f'"{DIGEST}"'], True, id="the tag"),
        pytest.param([f'W/"{DIGEST}"'], True, id="weak"),
        pytest.param([f'"{OTHER}", "{DIGEST}"'], True, id="a list"),
        pytest.param([f'"{OTHER}"', f'W/"{DIGEST}"'], True, id="two lines"),
        pytest.param(["*"], True, id="any"),
        pytest.param([" * "], True, id="any, with spaces"),
        pytest.param([f'"{OTHER}"'], False, id="another"),
        pytest.param([f'"{DIGEST}x"'], False, id="longer"),
        pytest.param([DIGEST], False, id="no quotes"),
        pytest.param(['"*"'], False, id="a tag that is a star"),
    ],
)
def test_if_none_match(lines, known):
    """The comparison is weak, and any line may match."""
    assert is_known(lines, DIGEST) is known


@pytest.mark.parametrize(
    ("if_range", "holds"),
    [
        (None, True),
        (etag(DIGEST), True),
        (etag(OTHER), False),
        (f"W/{etag(DIGEST)}", False),
        ("Tue, 24 Nov 2026 00:00:00 GMT", False),
    ],
)
def test_if_range(if_range, holds):
    """A range is valid only for identical bytes."""
    assert applies_range(if_range, DIGEST) is holds


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-499", Part(0, 500)),
        ("bytes=500-", Part(500, 1000)),
        ("bytes=-100", Part(900, 1000)),
        ("bytes=0-0", Part(0, 1)),
        ("bytes=999-", Part(999, 1000)),
        ("bytes=0-", Part(0, 1000)),
        ("bytes=0-99999", Part(0, 1000)),
        ("bytes=-99999", Part(0, 1000)),
        ("BYTES=1-2", Part(1, 3)),
        ("bytes= 1-2 ", Part(1, 3)),
        ("bytes=1000-", Unsatisfiable()),
        ("bytes=1000-1001", Unsatisfiable()),
        ("bytes=-0", Unsatisfiable()),
        ("bytes=2-1", None),
        ("bytes=2-0", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=0-1,5-6", None),
        ("bytes=a-b", None),
        ("bytes=0--1", None),
        ("bytes=+1-2", None),
        ("bytes=\u0661-\u0662", None),
        ("bytes=" + "9" * 5000 + "-", None),
        ("lines=0-1", None),
        ("0-1", None),
        ("", None),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_header(header, expected):
    """Of a blob of 1000 bytes."""
    assert parse_range(header, 1000) == expected


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_empty_blob(header):
    """No byte of an empty blob can be had."""
    assert parse_range(header, 0) == Unsatisfiable()


@given(
    st.one_of(
        st.text(),
        st.from_regex(r"bytes=[0-9]{0,20}-[0-9]{0,20}", fullmatch=True),
    ),
    st.integers(0, 10**19),
)
def test_a_part_is_inside_the_blob(header, size):
    """Whatever the header contains, a range is not empty and lies within the blob."""
    part = parse_range(header, size)
    if isinstance(part, Part):
        assert 0 <= part.start < part.stop <= size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("/srv/my packages", "/srv/my packages"),
        ("/srv/pakete-für-alle", "/srv/pakete-f%C3%BCr-alle"),
        ("a\r\nSet-Cookie: b", "a%0D%0ASet-Cookie: b"),
        ("  padded\t", "padded"),
        ("bad \udcff byte", "bad ? byte"),
    ],
)
def test_value(text, value):
    """Printable ASCII only: other characters end the header or fail in the server."""
    assert header_value(text) == value


def test_content():
    """The media type goes out as it is, without a charset."""
    digest = digest_of(b"")
    assert content_headers(digest, "application/x", "no-cache") == {
        "Content-Type": "application/x",
        "Docker-Content-Digest": digest,
        "ETag": f'"{digest}"',
        "Cache-Control": "no-cache",
    }

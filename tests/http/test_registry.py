"""The registry under a real server: a table of requests, and arbitrary requests.

The table's idea is that of go-containerregistry's ``pkg/registry``; the rows marked "conformance"
are those parts of the distribution specification's suite that apply to a read-only registry.
"""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.serving import LAYER

from nixery.oci import OCI_INDEX, Format, digest_of

BLOB = digest_of(LAYER)
UNKNOWN = digest_of(b"unknown")
OCI, DOCKER = (form.value.manifest for form in (Format.OCI, Format.DOCKER))
LATEST = "/v2/hello/manifests/latest"
AT_BLOB = f"/v2/hello/blobs/{BLOB}"
BEHIND = {"content-range": f"bytes */{len(LAYER)}"}
EMPTY_INDEX = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A request, and what must be in its response."""

    method: str
    path: str
    send: Mapping[str, str]
    status: int
    code: str | None
    """Of the error JSON."""
    get: Mapping[str, str]
    """Headers of the response, some of them."""
    body: bytes | None


def row(method, path, status, code=None, *, send=None, get=None, body=None):
    values = {"send": send or {}, "status": status, "code": code, "get": get or {}, "body": body}
    return Row(method=method, path=path, **values)


ROWS = [
    row("GET", "/v2", 200, get={"content-type": "application/json"}, body=b"{}"),
    row("GET", "/v2/", 200, get={"content-type": "application/json"}, body=b"{}"),
    row("HEAD", "/v2/", 200, get={"content-length": "2"}),
    row("GET", "/v2/?ns=docker.io", 200, body=b"{}"),
    # manifests
    row("GET", LATEST, 200, get={"content-type": OCI, "vary": "Accept"}),
    row("HEAD", LATEST, 200, get={"content-type": OCI}),
    row("GET", "/v2/hello/manifests/latest?ns=docker.io", 200, get={"content-type": OCI}),
    row("GET", LATEST, 200, send={"accept": DOCKER}, get={"content-type": DOCKER}),
    row("GET", "/v2/a/manifests/b/manifests/latest", 200),
    row("GET", "/v2/hello/manifests/" + UNKNOWN, 404, "MANIFEST_UNKNOWN"),
    row("HEAD", "/v2/hello/manifests/" + UNKNOWN, 404),
    row("GET", "/v2/hello/manifests/sha256:baddigeststring", 400, "DIGEST_INVALID"),  # conformance
    row("HEAD", "/v2/hello/manifests/sha256:baddigeststring", 400),
    row("GET", "/v2/no-such-package/manifests/latest", 404, "MANIFEST_UNKNOWN"),
    row("GET", "/v2/HELLO/manifests/latest", 400, "NAME_INVALID"),
    row("GET", "/v2/hello/manifests/.INVALID_MANIFEST_NAME", 400, "NAME_INVALID"),  # conformance
    # blobs
    row("GET", AT_BLOB, 200, get={"docker-content-digest": BLOB}, body=LAYER),
    row("HEAD", AT_BLOB, 200, get={"content-length": "1024"}),
    row("GET", f"/v2/hello/blobs/{BLOB}?ns=docker.io", 200, body=LAYER),
    row("GET", f"/v2/hello/blobs/{BLOB.replace(':', '%3A')}", 200, body=LAYER),
    row("GET", f"/v2/other/blobs/{BLOB}", 200, body=LAYER),
    row("GET", f"/v2/hello/blobs/{UNKNOWN}", 404, "BLOB_UNKNOWN"),  # conformance
    row("HEAD", f"/v2/hello/blobs/{UNKNOWN}", 404),
    row("GET", "/v2/hello/blobs/sha256:baddigeststring", 400, "DIGEST_INVALID"),
    row("GET", AT_BLOB, 206, send={"range": "bytes=0-9"}, body=LAYER[:10]),
    row("GET", AT_BLOB, 206, send={"range": "bytes=-4"}, body=LAYER[-4:]),
    row("GET", AT_BLOB, 200, send={"range": "bytes=0-1,3-4"}, body=LAYER),
    row("HEAD", AT_BLOB, 200, send={"range": "bytes=0-9"}, get={"content-length": "1024"}),
    row("GET", AT_BLOB, 416, "RANGE_INVALID", send={"range": "bytes=1024-"}, get=BEHIND),
    row("GET", AT_BLOB, 304, send={"if-none-match": f'"{BLOB}"'}, body=b""),
    # referrers conformance: 200 and an empty list, also for an unknown digest
    row("GET", f"/v2/hello/referrers/{UNKNOWN}", 200, get={"content-type": OCI_INDEX}),
    row("GET", f"/v2/hello/referrers/{UNKNOWN}?artifactType=a/b", 200),
    row("GET", "/v2/hello/referrers/sha256:bad", 400, "DIGEST_INVALID"),
    row("GET", f"/v2/HELLO/referrers/{UNKNOWN}", 400, "NAME_INVALID"),
    # operations of a registry with push
    row("POST", "/v2/", 405, "UNSUPPORTED", get={"allow": "GET, HEAD"}),
    row("PUT", LATEST, 405, "UNSUPPORTED", get={"allow": "GET, HEAD"}),
    row("DELETE", LATEST, 405, "UNSUPPORTED"),
    row("DELETE", AT_BLOB, 405, "UNSUPPORTED"),
    row("PATCH", AT_BLOB, 405, "UNSUPPORTED"),
    row("OPTIONS", LATEST, 405, "UNSUPPORTED"),
    row("POST", "/v2/hello/blobs/uploads/", 405, "UNSUPPORTED", get={"allow": "GET, HEAD"}),
    row("PATCH", "/v2/hello/blobs/uploads/1", 405, "UNSUPPORTED"),
    row("PUT", "/v2/hello/blobs/uploads/1?digest=x", 405, "UNSUPPORTED"),
    # missing things
    row("GET", "/v2/_catalog", 404, "UNSUPPORTED"),
    row("GET", "/v2/hello/tags/list", 404, "UNSUPPORTED"),
    row("GET", "/v2/hello/blobs/uploads/", 404, "UNSUPPORTED"),
    row("GET", "/v2/hello/manifests/latest/", 404, "UNSUPPORTED"),
    row("HEAD", "/v2/hello", 404),
    row("GET", "/v1/_ping", 404, "UNSUPPORTED"),
    row("GET", "/style.css/", 404, "UNSUPPORTED"),
    row("POST", "/", 405, "UNSUPPORTED"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path[:60]}")
def test_table(live, row):
    """Method, path and headers in; status, error code, headers and body out."""
    response = live.request(row.method, row.path, headers=row.send)
    assert response.status_code == row.status
    assert row.get.items() <= dict(response.headers).items()
    assert response.headers["x-request-id"]
    assert "server" not in response.headers
    if row.path.startswith("/v2"):
        assert response.headers["docker-distribution-api-version"] == "registry/2.0"
    if row.method == "HEAD":
        assert response.content == b""
        if row.status >= 400:
            assert response.headers["content-type"] == "application/json"
            assert int(response.headers["content-length"]) > 0
    elif row.status >= 400:
        assert_error(response.headers, response.content, row.code)
    if row.body is not None:
        assert response.content == row.body


def test_referrers_are_an_empty_index(live):
    """Also for an unknown digest."""
    assert live.get(f"/v2/hello/referrers/{UNKNOWN}").json() == EMPTY_INDEX


def test_a_pull(live):
    """As docker does it: HEAD the tag, GET the digest it names, then every blob of it."""
    digest = live.head("/v2/hello/manifests/latest").headers["docker-content-digest"]
    manifest = live.get(f"/v2/hello/manifests/{digest}")
    assert digest_of(manifest.content) == digest
    content = manifest.json()
    for descriptor in [content["config"], *content["layers"]]:
        blob = live.get(f"/v2/hello/blobs/{descriptor['digest']}").content
        assert digest_of(blob) == descriptor["digest"]
        assert len(blob) == descriptor["size"]


WORDS = [
    "hello",
    "manifests",
    "blobs",
    "referrers",
    "tags",
    "list",
    "uploads",
    "_catalog",
    "latest",
]
SEGMENT = st.one_of(
    st.sampled_from(
        [*WORDS, BLOB, UNKNOWN, "sha256:bad", "%00", "%2F", "%0A", "%FF", "..", "", "."]
    ),
    st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="?#"), max_size=9
    ),
)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
HEADERS = st.dictionaries(
    st.sampled_from(["Range", "Accept", "If-None-Match", "If-Range", "Host", "X-Request-Id"]),
    st.one_of(
        st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_categories=["Cc"])),
        st.sampled_from(["bytes=0-1", "bytes=-1", "bytes=9999-", "*/*", "*", f'"{BLOB}"', OCI]),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(METHODS), st.lists(SEGMENT, max_size=6), HEADERS)
def test_any_request(live, method, segments, headers):
    """Below /v2 no request is our fault, and every refusal is the registry's JSON."""
    address = urlsplit(str(live.base_url))
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    try:
        connection.putrequest(method, "/v2/" + "/".join(segments), skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    assert response.status < 500
    if response.status >= 400:
        assert response.getheader("content-type") == "application/json"
        assert response.getheader("cache-control") == "no-store"
        if method != "HEAD":
            assert_error(response.headers, body, None)


def assert_error(headers, body, code):
    assert headers["content-type"] == "application/json"
    assert int(headers["content-length"]) == len(body)
    content = json.loads(body)
    assert content.keys() == {"errors"}
    for error in content["errors"]:
        assert error.keys() == {"code", "message", "detail"}
        assert "\n" not in error["message"]
        assert code in (None, error["code"])

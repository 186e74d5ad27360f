"""Manifests by tag and by digest."""

import json
from dataclasses import replace

import httpx
import pytest
from support.fake_images import REVISION, SOURCE, FakeImages, stored_image
from support.serving import ABOUT, LAYER

from nixery.errors import BuildFailed, Denied, SourceUnavailable, TimedOut
from nixery.http.app import create_app
from nixery.http.manifests import MAX_MANIFEST
from nixery.oci import Format, canonical_json, digest_of
from nixery.storage import put
from nixery.storage.memory import MemoryStorage

pytestmark = pytest.mark.anyio

TAG = "/v2/hello/manifests/latest"


@pytest.mark.parametrize("form", Format, ids=lambda form: form.name)
async def test_by_tag(client, image, form):
    """The format that the client reads, complete, with all headers that clients use."""
    made = image.manifests[form]
    response = await client.get(TAG, headers={"Accept": form.value.manifest})
    assert response.status_code == 200
    assert response.content == made.data
    assert response.headers["content-type"] == form.value.manifest
    assert response.headers["content-length"] == str(len(made.data))
    assert response.headers["docker-content-digest"] == digest_of(response.content)
    assert response.headers["etag"] == f'"{made.digest}"'
    assert response.headers["vary"] == "Accept"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["docker-distribution-api-version"] == "registry/2.0"


async def test_head_has_the_same_headers(client):
    """Docker and containerd ask with HEAD first, and rest on its headers."""
    get, head = await client.get(TAG), await client.head(TAG)
    for response in (get, head):
        del response.headers["x-request-id"]
    assert head.status_code == 200
    assert head.headers == get.headers
    assert head.content == b""


async def test_all_accept_lines_count(client, image):
    """Skopeo sends one type per line, the one we prefer among them."""
    lines = [("Accept", Format.DOCKER.value.manifest), ("Accept", Format.OCI.value.manifest)]
    for headers in (lines, lines[::-1]):
        response = await client.get(TAG, headers=headers)
        assert response.headers["docker-content-digest"] == image.manifests[Format.OCI].digest


async def test_zstd_has_no_docker_manifest(client_of, storage):
    """A client that also reads OCI gets it; the others are told what to do."""
    image = stored_image(storage, LAYER, compression="zstd")
    app = create_app(images=FakeImages({"hello": image}), storage=storage, about=ABOUT)
    docker = Format.DOCKER.value.manifest
    async with client_of(app) as client:
        both = await client.get(TAG, headers={"Accept": f"{docker}, {Format.OCI.value.manifest}"})
        assert both.json()["layers"][0]["mediaType"].endswith("tar+zstd")
        refused = await client.get(TAG, headers={"Accept": docker})
    assert refused.status_code == 406
    (error,) = refused.json()["errors"]
    assert error["code"] == "UNSUPPORTED"
    assert "NIXERY_COMPRESSION=gzip" in error["message"]
    assert "\n" not in error["message"]


async def test_the_formats_have_their_own_digests(image):
    """One digest each: the client checks it against the bytes."""
    assert len({made.digest for made in image.manifests.values()}) == 2


async def test_origin(client, storage, client_of):
    """The response names the source of the packages, and nothing that breaks a header."""
    response = await client.get(TAG)
    assert response.headers["nixery-source"] == SOURCE.url
    assert response.headers["nixery-revision"] == REVISION

    source = replace(SOURCE, url="https://h/ä\r\nX-Forged: 1", revision=None)
    images = FakeImages({"hello": stored_image(storage, LAYER, source=source)})
    async with client_of(create_app(images=images, storage=storage, about=ABOUT)) as another:
        response = await another.get(TAG)
    assert response.headers["nixery-source"] == "https://h/%C3%A4%0D%0AX-Forged: 1"
    assert "nixery-revision" not in response.headers


async def test_origin_on_the_server(storage, client_of):
    """Clients do not see where its files are."""
    source = replace(SOURCE, url="file:///srv/sets/nixpkgs")
    images = FakeImages({"hello": stored_image(storage, LAYER, source=source)})
    async with client_of(create_app(images=images, storage=storage, about=ABOUT)) as client:
        assert (await client.get(TAG)).headers["nixery-source"] == "path"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_not_modified(client, image, method):
    """A client that knows the digest does not get the manifest again."""
    digest = image.manifests[Format.OCI].digest
    for path in (TAG, f"/v2/hello/manifests/{digest}"):
        response = await client.request(method, path, headers={"If-None-Match": f'W/"{digest}"'})
        assert response.status_code == 304
        assert response.content == b""
        assert response.headers["etag"] == f'"{digest}"'
        assert response.headers["docker-content-digest"] == digest
    response = await client.request(method, TAG, headers={"If-None-Match": '"other"'})
    assert response.status_code == 200


@pytest.mark.parametrize("form", Format, ids=lambda form: form.name)
async def test_by_digest(client, images, image, form):
    """Served with its own type, whatever Accept contains, cacheable forever, not by the builder."""
    made = image.manifests[form]
    for accept in ("application/json", Format.OCI.value.manifest, Format.DOCKER.value.manifest):
        response = await client.get(
            f"/v2/hello/manifests/{made.digest}", headers={"Accept": accept}
        )
        assert response.status_code == 200
        assert response.content == made.data
        assert response.headers["content-type"] == form.value.manifest
        assert response.headers["docker-content-digest"] == made.digest
        assert response.headers["content-length"] == str(len(made.data))
        assert "immutable" in response.headers["cache-control"]
    assert images.asked == []


def oversized():
    value = {"mediaType": Format.OCI.value.manifest, "annotations": {"x": "y" * MAX_MANIFEST}}
    return canonical_json(value)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(LAYER, id="a layer"),
        pytest.param(b"{}", id="JSON without a media type"),
        pytest.param(b'{"mediaType": 1}', id="a media type that is none"),
        pytest.param(b'{"mediaType": "application/json"}', id="another media type"),
        pytest.param(b'["mediaType"]', id="a list"),
        pytest.param(b"[" * 200_000, id="nothing but brackets"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(oversized(), id="larger than a manifest may be"),
    ],
)
async def test_other_blobs_are_not_manifests(client, storage, data):
    """Layers and configs lie in the same place."""
    digest = put(storage, data).digest
    response = await client.get(f"/v2/hello/manifests/{digest}")
    assert response.status_code == 404
    assert code_of(response) == "MANIFEST_UNKNOWN"


class Damaged(MemoryStorage):
    """Reads a byte more than was stored."""

    def read(self, key):
        found = super().read(key)
        return replace(found, data=found.data + b" ")


async def test_damaged_manifest(images, client_of):
    """Bytes are not served under a digest that they do not match."""
    storage = Damaged()
    digest = stored_image(storage, LAYER).manifests[Format.OCI].digest
    async with client_of(create_app(images=images, storage=storage, about=ABOUT)) as client:
        response = await client.get(f"/v2/hello/manifests/{digest}")
    assert code_of(response) == "MANIFEST_UNKNOWN"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/hello/manifests/" + digest_of(b"unknown"), 404, "MANIFEST_UNKNOWN"),
        ("/v2/hello/manifests/sha256:baddigeststring", 400, "DIGEST_INVALID"),
        ("/v2/hello/manifests/sha512:" + "0" * 128, 400, "DIGEST_INVALID"),
        ("/v2/hello/manifests/sha256:" + "A" * 64, 400, "DIGEST_INVALID"),
        ("/v2/hello/manifests/-tag", 400, "NAME_INVALID"),
        ("/v2/hello/manifests/" + "t" * 129, 400, "NAME_INVALID"),
        ("/v2/hello/manifests/latest%0A", 400, "NAME_INVALID"),
        ("/v2/Hello/manifests/latest", 400, "NAME_INVALID"),
        ("/v2/Hello/manifests/" + digest_of(b"unknown"), 400, "NAME_INVALID"),
        ("/v2//manifests/latest", 400, "NAME_INVALID"),
        ("/v2/a/%2E%2E/b/manifests/latest", 400, "NAME_INVALID"),
        ("/v2/" + "/".join("abcdefghijklmnopqrstuvwxyz0123456") + "/manifests/latest", 400, None),
        ("/v2/" + "a" * 256 + "/manifests/latest", 400, "NAME_INVALID"),
        ("/v2/unheard-of/manifests/latest", 404, "MANIFEST_UNKNOWN"),
    ],
)
async def test_refused(client, images, path, status, code):
    """Invalid requests never reach the builder."""
    response = await client.get(path)
    assert response.status_code == status
    assert code_of(response) == (code or "NAME_INVALID")
    assert images.asked == ([("unheard-of", "latest")] if "unheard" in path else [])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BuildFailed("hello: make: *** no rule", cause="build_failed", log=["a", "b"]), 404),
        (TimedOut("hello took too long"), 404),
        (Denied("hello is unfree", cause="unfree"), 403),
        (SourceUnavailable("the repository does not answer"), 503),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_builder_fails(client, images, error, status):
    """GET and HEAD give the same answer; it must not be cached."""
    images.answers["hello"] = error
    get, head = await client.get(TAG), await client.head(TAG)
    assert get.status_code == head.status_code == status
    assert get.json()["errors"][0]["message"] == error.message
    assert head.content == b""
    for response in (get, head):
        assert response.headers["content-type"] == "application/json"
        assert response.headers["content-length"] == str(len(get.content))
        assert response.headers["cache-control"] == "no-store"
        assert ("retry-after" in response.headers) == isinstance(error, SourceUnavailable)


async def test_strict(storage, images, client_of):
    """An operator may choose 502 for failed builds."""
    images.answers["hello"] = BuildFailed("hello: make: *** no rule")
    app = create_app(images=images, storage=storage, about=ABOUT, error_status="strict")
    async with client_of(app) as client:
        response = await client.get(TAG)
    assert response.status_code == 502
    assert code_of(response) == "MANIFEST_UNKNOWN"


async def test_unexpected_error(client, images):
    """500 with the request's id, without the traceback."""
    images.answers["hello"] = ZeroDivisionError("inner secret")
    response = await client.get(TAG, headers={"X-Request-Id": "find-me-here"})
    assert response.status_code == 500
    (error,) = response.json()["errors"]
    assert error["code"] == "UNKNOWN"
    assert error["detail"] == {"request_id": "find-me-here"}
    assert "secret" not in response.text
    assert "Traceback" not in response.text


async def test_disk_full(client, images):
    """507, with the reason in one line."""
    images.answers["hello"] = OSError(28, "No space left on device")
    response = await client.get(TAG)
    assert response.status_code == 507
    assert "disk is full" in response.json()["errors"][0]["message"]


def code_of(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/json"
    return json.loads(response.content)["errors"][0]["code"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_served_manifest_is_reported(storage, images, image, client_of, method):
    """Also to a client that has it already; gc asks when an image was last pulled."""
    told = []
    app = create_app(images=images, storage=storage, about=ABOUT, on_pull=told.append)
    oci, docker = (image.manifests[form].digest for form in (Format.OCI, Format.DOCKER))
    async with client_of(app) as client:
        await client.request(method, TAG)
        await client.request(method, f"/v2/hello/manifests/{docker}")
        await client.request(method, TAG, headers={"If-None-Match": f'"{oci}"'})
        assert told == [oci, docker, oci]
        await client.request(method, "/v2/missing/manifests/latest")
        await client.request(method, f"/v2/hello/manifests/sha256:{'0' * 64}")
        await client.request(method, f"/v2/hello/blobs/{docker}")
    assert told == [oci, docker, oci]


@pytest.mark.parametrize("end", ["", ".sig", ".att", ".sbom"])
async def test_tags_derived_from_a_digest_are_unknown(client, images, end):
    """Whatever tags the operator allows: nothing is built for them."""
    answer = await client.get(f"/v2/hello/manifests/sha256-{'a' * 64}{end}")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "MANIFEST_UNKNOWN"
    assert images.asked == []

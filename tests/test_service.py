"""The service that the settings assemble; the parts have separate tests."""

from contextlib import asynccontextmanager

import httpx
import pytest
from support.fake_images import stored_image

from nixery import backends, parts, service
from nixery.errors import ConfigurationError
from nixery.host.sd_notify import ServiceManager
from nixery.last_pulled import mark_key
from nixery.oci import Format
from nixery.settings import load
from nixery.storage.filesystem import FilesystemStorage
from nixery.wire.drain import Drain

pytestmark = [pytest.mark.anyio, pytest.mark.machine]


class AtOnce:
    """An executor that runs a function before it returns."""

    def __init__(self, *_, **__):
        pass

    def submit(self, work, *arguments):
        work(*arguments)

    def shutdown(self, **_):
        pass


class FakeKeeper:
    opened_with = None

    def __init__(self, _storage, _leases, limit):
        self.limit = limit

    def request_collection(self):
        pass

    @asynccontextmanager
    async def opened(self):
        FakeKeeper.opened_with = self.limit
        yield self


def app_of(environ):
    settings = load(environ)
    made = parts.make_parts(settings, environ, backends.open_storage(settings))
    drain = Drain()
    return service.make_app(
        settings, made, service.make_probes(made, drain), drain, ServiceManager(environ)
    )


@pytest.fixture
def environ(tmp_path):
    (tmp_path / "default.nix").write_text("{ }: { }")
    return {
        "NIXERY_PKGS_PATH": str(tmp_path / "default.nix"),
        "NIXERY_STORAGE_BACKEND": "filesystem",
        "STORAGE_PATH": str(tmp_path / "storage"),
        "NIXERY_STATE_DIR": str(tmp_path / "state"),
    }


@pytest.mark.parametrize(("size", "limit"), [("", None), ("50G", 50 << 30)])
async def test_room_is_made_only_where_a_size_is_set(environ, monkeypatch, size, limit):
    monkeypatch.setattr(parts, "GarbageCollector", FakeKeeper)
    monkeypatch.setattr(FakeKeeper, "opened_with", None)
    environ["NIXERY_STORAGE_MAX_BYTES"] = size
    app = app_of(environ)
    async with app.router.lifespan_context(app):
        pass
    assert FakeKeeper.opened_with == limit


async def test_pulls_are_marked(environ, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "ThreadPoolExecutor", AtOnce)
    storage = FilesystemStorage(tmp_path / "storage")
    digest = stored_image(storage, b"layer").manifests[Format.OCI].digest
    app = app_of(environ)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://registry.test") as client,
    ):
        response = await client.head(f"/v2/hello/manifests/{digest}")
        assert response.status_code == 200
    assert storage.stat(mark_key(digest))


@pytest.mark.parametrize(
    ("remote", "store"), [("", "/nix/store"), ("/srv/chroot", "/srv/chroot/nix/store")]
)
def test_both_disks_must_have_room(environ, tmp_path, remote, store):
    found = {str(path) for path in backends.disks(load(environ | {"NIX_REMOTE": remote}))}
    assert found == {str(tmp_path / "storage"), store}


@pytest.mark.parametrize(("timeout", "patience"), [("280", 60), ("20", 10)])
def test_queues_end_before_the_request(environ, monkeypatch, timeout, patience):
    """Otherwise waiting callers are told that the image took too long, and so are later ones."""
    given = {}
    monkeypatch.setattr(parts, "Builder", lambda **values: given.update(values))
    app_of(environ | {"NIXERY_REQUEST_TIMEOUT": timeout})
    assert given["limits"].patience == patience


def test_a_bucket_has_no_disk(environ):
    environ |= {"NIXERY_STORAGE_BACKEND": "gcs", "GCS_BUCKET": "images"}
    assert [str(path) for path in backends.disks(load(environ))] == ["/nix/store"]


@pytest.mark.parametrize("setting", ["NIXERY_STATE_DIR", "NIXERY_ROOTS_DIR"])
def test_a_directory_that_cannot_be_used_is_named_with_its_setting(environ, tmp_path, setting):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=f"{setting}={tmp_path}/file/x cannot be used"):
        app_of(environ | {setting: str(tmp_path / "file" / "x")})

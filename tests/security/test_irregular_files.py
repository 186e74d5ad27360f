"""Fifos, links and directories in the storage hold up no pull, no gc and no verify."""

import os
from concurrent.futures import ThreadPoolExecutor

import anyio
import httpx
import pytest
from click.testing import CliRunner
from support.registry import pull
from support.serving import ABOUT, running

from nixery.cli import main
from nixery.http.app import create_app
from nixery.oci import Format, hexdigits
from nixery.storage.filesystem import FilesystemStorage

MORE_THAN_THREADS = 60
"""Requests; the server has 40 threads that could wait for a fifo's writer."""
KINDS = {
    "fifo": os.mkfifo,
    "directory": lambda path: (path / "inside").mkdir(parents=True),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to a secret": lambda path: path.symlink_to("/proc/self/environ"),
}


@pytest.fixture
def storage(registry, tmp_path):
    registry.storage = FilesystemStorage(tmp_path / "storage")
    return registry.storage


def made(registry):
    """The image, pulled by a process that has just begun, and the digests of its layers."""
    image = anyio.run(pull, registry)
    manifest = httpx.Response(200, content=image.manifests[Format.OCI].data).json()
    return image, [layer["digest"] for layer in manifest["layers"]]


@pytest.mark.parametrize("kind", KINDS)
def test_irregular_files_are_missing_until_they_are_replaced(registry, storage, tmp_path, kind):
    image, layers = made(registry)
    manifest = image.manifests[Format.OCI].digest
    for digest in (layers[0], manifest):
        path = tmp_path / "storage/layers" / hexdigits(digest)
        path.unlink()
        KINDS[kind](path)
    with running(create_app(images=None, storage=storage, about=ABOUT)) as url:
        lost, there = (f"{url}/v2/hello/blobs/{digest}" for digest in layers[:2])
        with ThreadPoolExecutor(MORE_THAN_THREADS) as clients:
            asked = [lost, f"{url}/v2/hello/manifests/{manifest}"] * (MORE_THAN_THREADS // 2)
            assert {answer.status_code for answer in clients.map(httpx.get, asked)} == {404}
        assert httpx.get(there).status_code == 200

        again, _ = made(registry)
        assert again.manifests == image.manifests
        assert httpx.get(lost).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_gc_and_verify_go_on_beside_it_and_say_so(registry, storage, tmp_path, kind):
    _, layers = made(registry)
    for name in ("layers", "builds", "manifests", "plans", "leases", "pulled", "tables", "asked"):
        (tmp_path / "storage" / name).mkdir(exist_ok=True)
        KINDS[kind](tmp_path / "storage" / name / ("0" * 64))
    (tmp_path / "storage/layers" / hexdigits(layers[0])).unlink()
    KINDS[kind](tmp_path / "storage/layers" / hexdigits(layers[0]))

    settings = {"NIXERY_STORAGE_BACKEND": "filesystem", "STORAGE_PATH": str(tmp_path / "storage")}
    for arguments, status in ((["verify"], 1), (["gc", "--keep-bytes", "1"], 0)):
        ended = CliRunner().invoke(main, arguments, env=settings)
        assert ended.exit_code == status, ended.output
        assert "not a regular file, ignored" in ended.output
        if arguments == ["verify"]:
            assert f"missing: {layers[0]}" in ended.output
    assert storage.stat(f"layers/{hexdigits(layers[1])}")  # young: always kept

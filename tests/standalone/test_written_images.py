"""Images made without a server are those that the server serves."""

import json
import tarfile
from dataclasses import replace

import anyio
import pytest
from support.registry import pull

from nixery.archive import Zstd
from nixery.errors import ConfigurationError, StoreDamaged
from nixery.oci import Format, digest_of, hexdigits
from nixery.standalone.build import build_archive, build_layout
from nixery.standalone.prepare import Order

HELLO = Order("hello")


def blobs(layout):
    return {path.name: path.read_bytes() for path in (layout / "blobs/sha256").iterdir()}


@pytest.mark.parametrize("compression", [None, Zstd()], ids=["gzip", "zstd"])
def test_a_layout_holds_what_a_server_serves(registry, tools, tmp_path, compression):
    if compression:
        registry.packer = replace(registry.packer, compression=compression)
        tools = replace(tools, packer=registry.packer)
    served = anyio.run(pull, registry).manifests[Format.OCI]
    made = build_layout(HELLO, tools, None, tmp_path / "layout")
    assert made.manifest == served
    names = {hexdigits(served.digest)} | {
        hexdigits(entry["digest"])
        for content in [json.loads(served.data)]
        for entry in (content["config"], *content["layers"])
    }
    assert blobs(tmp_path / "layout") == {
        name: registry.storage.objects[f"layers/{name}"] for name in names
    }


def test_an_index_names_the_manifest(tools, tmp_path):
    made = build_layout(Order("hello:latest"), tools, None, tmp_path / "layout")
    assert json.loads((tmp_path / "layout/oci-layout").read_text()) == {
        "imageLayoutVersion": "1.0.0"
    }
    (entry,) = json.loads((tmp_path / "layout/index.json").read_text())["manifests"]
    assert entry == {
        "mediaType": Format.OCI.value.manifest,
        "digest": made.manifest.digest,
        "size": len(made.manifest.data),
        "annotations": {"org.opencontainers.image.ref.name": "latest"},
    }
    assert sorted(path.name for path in tmp_path.glob("*ayout*")) == ["layout"]


def test_an_archive_holds_the_config_and_its_tars(registry, tools, tmp_path):
    served = json.loads(anyio.run(pull, registry).manifests[Format.OCI].data)
    made = build_archive(HELLO, tools, None, tmp_path / "hello.tar")
    with tarfile.open(tmp_path / "hello.tar") as archive:
        found = {member.name: archive.extractfile(member).read() for member in archive}
    (image,) = json.loads(found.pop("manifest.json"))
    assert image["RepoTags"] == ["hello:latest"]
    config = found.pop(image["Config"])
    assert config == registry.blob(served["config"]["digest"])
    assert made.config == served["config"]["digest"] == digest_of(config)
    assert [digest_of(found[name]) for name in image["Layers"]] == (
        json.loads(config)["rootfs"]["diff_ids"]
    )


def test_an_archive_is_the_same_every_time(tools, tmp_path):
    """And replaces the one that is there."""
    file = tmp_path / "hello.tar"
    build_archive(HELLO, tools, None, file)
    before = file.read_bytes()
    file.write_bytes(b"something else")
    build_archive(HELLO, tools, None, file)
    assert file.read_bytes() == before


def test_a_directory_that_is_empty_will_do(tools, tmp_path):
    (tmp_path / "layout").mkdir()
    build_layout(HELLO, tools, None, tmp_path / "layout")
    assert (tmp_path / "layout/index.json").exists()


def test_existing_files_are_not_overwritten(tools, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    for target in (tmp_path / "full", tmp_path / "full/file"):
        with pytest.raises(ConfigurationError, match="exists, and is not an empty directory"):
            build_layout(HELLO, tools, None, target)
    with pytest.raises(ConfigurationError, match="is a directory"):
        build_archive(HELLO, tools, None, tmp_path / "full")
    assert tools.nix.steps == []


@pytest.mark.parametrize("build", [build_layout, build_archive])
def test_a_failure_leaves_nothing(registry, tools, tmp_path, build):
    """No half of an image, and no root in the store."""
    (path,) = registry.nix.packages["hello"].paths
    (registry.nix.root / path[1:] / "bin/hello").unlink()
    (registry.nix.root / path[1:] / "bin").rmdir()
    (registry.nix.root / path[1:]).rmdir()
    (tmp_path / "out").mkdir()
    with pytest.raises(StoreDamaged):
        build(HELLO, tools, None, tmp_path / "out/image")
    assert list((tmp_path / "out").iterdir()) == []
    assert list((tmp_path / "roots").iterdir()) == []

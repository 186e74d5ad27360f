"""Every kind of compression, read by real clients."""

import json
import os

import pytest
from support.integration.unpacked import inside, run, run_with_podman, unpack
from support.served import DOCKER, OCI

from nixery.oci import Format, digest_of

pytestmark = [
    pytest.mark.nix,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter an image's root"),
]

KINDS = ("gzip", "zstd", "none")
IMAGE = "shell/git/odd"


@pytest.mark.parametrize("kind", KINDS)
def test_podman_runs_it(serve_with, podman, kind):
    with serve_with(kind) as served:
        run(*podman, "pull", "--quiet", "--tls-verify=false", served.image(IMAGE))
        output = run_with_podman(podman, served.image(IMAGE), "git", "--version")
    assert output == "git 2.47.0 --version\n"


@pytest.mark.parametrize("kind", KINDS)
def test_skopeo_unpacks_it(serve_with, tmp_path, kind):
    """Into plain tars, which match the config."""
    with serve_with(kind) as served:
        image = f"docker://{served.image(IMAGE)}"
        skopeo = ("skopeo", "copy", "--src-tls-verify=false", "--dest-decompress")
        run(*skopeo, image, f"dir:{tmp_path}/image")
        config = run("skopeo", "inspect", "--config", "--raw", "--tls-verify=false", image)
    found = {
        digest_of(file.read_bytes())
        for file in (tmp_path / "image").iterdir()
        if file.read_bytes()[257:262] == b"ustar"
    }
    assert found == set(json.loads(config)["rootfs"]["diff_ids"])


@pytest.mark.parametrize("kind", ["gzip", "none"])
def test_umoci_unpacks_it(serve_with, tmp_path, kind):
    """Debian's knows no zstd."""
    with serve_with(kind) as served:
        root = unpack(served, IMAGE, tmp_path)
    assert inside(root, "git", "--version") == "git 2.47.0 --version\n"


def test_kinds_share_a_storage_and_their_tars(serve_with):
    """Each keeps its own layers, of the same content, with their own media types."""
    found = {}
    for kind in KINDS:
        with serve_with(kind) as served:
            manifest = served.manifest(IMAGE).json()
            config = served.get(f"/v2/{IMAGE}/blobs/{manifest['config']['digest']}").json()
        found[kind] = manifest["layers"]
        assert {layer["mediaType"] for layer in manifest["layers"]} == {
            Format.OCI.value.layers[kind]
        }
        diff_ids = config["rootfs"]["diff_ids"]
        assert found.setdefault("diff_ids", diff_ids) == diff_ids
    assert [layer["digest"] for layer in found["none"]] == found["diff_ids"]
    sizes = {kind: sum(layer["size"] for layer in found[kind]) for kind in KINDS}
    assert sizes["zstd"] < sizes["gzip"] < sizes["none"]


def test_clients_of_docker_manifests_only_get_advice(serve_with):
    with serve_with("zstd") as served:
        refused = served.get(f"/v2/{IMAGE}/manifests/latest", Accept=DOCKER)
        assert served.manifest(IMAGE, accept=f"{DOCKER}, {OCI}").headers["Content-Type"] == OCI
    assert refused.status_code == 406
    assert "NIXERY_COMPRESSION=gzip" in refused.json()["errors"][0]["message"]

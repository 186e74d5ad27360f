"""nixery plan and nixery build, with real Nix: the bytes are those that a server serves."""

import json
import os
import subprocess
import tarfile

import pytest
from support.integration.unpacked import inside, run
from support.served import serve

from nixery.layers.tables import Units, encode_units
from nixery.oci import digest_of, hexdigits

pytestmark = pytest.mark.nix

IMAGE = "shell/git/odd"


@pytest.fixture
def nixery(nix_environment, tiny):
    """``nixery("plan", …, SETTING=value)``: its output, without a server and in no storage."""

    def command(*words, status=0, **settings):
        done = subprocess.run(
            ["nixery", *map(str, words)],
            env={**nix_environment, "NIXERY_PKGS_PATH": str(tiny), **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    return command


def blobs_of(layout):
    return {path.name: path.read_bytes() for path in (layout / "blobs/sha256").iterdir()}


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_layout_equals_what_is_served(nixery, nix_environment, tiny, tmp_path, kind):
    """Digest for digest, and byte for byte."""
    settings = {"NIXERY_COMPRESSION": kind}
    digest = nixery("build", IMAGE, "-o", tmp_path / "layout", **settings).strip()
    found = blobs_of(tmp_path / "layout")
    with serve(nix_environment, tmp_path / "s", NIXERY_PKGS_PATH=str(tiny), **settings) as served:
        manifest = served.manifest(IMAGE)
        assert manifest.headers["Docker-Content-Digest"] == digest
        assert found.pop(hexdigits(digest)) == manifest.content
        for name, data in found.items():
            assert served.get(f"/v2/{IMAGE}/blobs/sha256:{name}").content == data
    content = manifest.json()
    assert found.keys() == {
        hexdigits(entry["digest"]) for entry in (content["config"], *content["layers"])
    }
    inspected = json.loads(run("skopeo", "inspect", f"oci:{tmp_path}/layout:latest"))
    assert inspected["Digest"] == digest
    assert inspected["Layers"] == [layer["digest"] for layer in content["layers"]]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter an image's root")
def test_a_layout_runs(nixery, tmp_path):
    nixery("build", IMAGE, "-o", tmp_path / "layout")
    run("umoci", "raw", "unpack", "--image", f"{tmp_path}/layout:latest", tmp_path / "root")
    config = run("skopeo", "inspect", "--config", "--raw", f"oci:{tmp_path}/layout:latest")
    (tmp_path / "config.json").write_text(config)
    assert inside(tmp_path / "root", "git", "--version") == "git 2.47.0 --version\n"


def test_an_archive_has_the_same_config_and_diff_ids(nixery, tmp_path):
    """Whatever compression the server uses."""
    nixery("build", IMAGE, "-o", tmp_path / "layout")
    archive = tmp_path / "image.tar"
    said = nixery("build", IMAGE, "--format", "docker", "-o", archive, NIXERY_COMPRESSION="zstd")
    wanted = run("skopeo", "inspect", "--config", "--raw", f"oci:{tmp_path}/layout:latest")
    config = run("skopeo", "inspect", "--config", "--raw", f"docker-archive:{archive}")
    assert config == wanted
    assert said.strip() == digest_of(config.encode())
    # skopeo hashes every tar on the way, and refuses those that the config does not list.
    run("skopeo", "copy", f"docker-archive:{archive}", f"oci:{tmp_path}/copy:image")
    with tarfile.open(archive) as found:
        (entry,) = json.load(found.extractfile("manifest.json"))
    assert entry["RepoTags"] == [f"{IMAGE}:latest"]


@pytest.mark.skipif(os.geteuid() != 0, reason="podman's storage here is root's")
def test_podman_loads_an_archive(nixery, podman, tmp_path):
    nixery("build", IMAGE, "--format", "docker", "-o", tmp_path / "image.tar")
    assert f"{IMAGE}:latest" in run(*podman, "load", "--input", tmp_path / "image.tar")
    output = run(
        *(*podman, "--runtime=runc", "run", "--rm", "--network=none"),
        *("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"),
        *(f"localhost/{IMAGE}", "git", "--version"),
    )
    assert output == "git 2.47.0 --version\n"


def test_tables_of_the_storage_plan_it(nixery, nix_environment, tiny, tmp_path):
    """An image that a server built keeps its plan; other tables are used if they are named."""

    def publish(name, *units):
        (tmp_path / name / "units.json").parent.mkdir()
        (tmp_path / name / "units.json").write_bytes(encode_units(Units(units, {})))
        said = nixery("tables", "publish", tmp_path / name / "units.json", **storage)
        return said.split()[1]

    def together(*words):
        layers = json.loads(nixery("plan", IMAGE, "--json", *words, **storage))["layers"]
        return {
            tuple(entry["path"].partition("-")[2] for entry in layer["paths"])
            for layer in layers
            if layer["why"] == "together"
        }

    (tmp_path / "s/storage").mkdir(parents=True)
    storage = {
        "NIXERY_STORAGE_BACKEND": "filesystem",
        "STORAGE_PATH": str(tmp_path / "s/storage"),
    }
    first = publish("first", ("git", "perl"))
    assert together() == {("git-2.47.0", "perl-5.40.0")}
    with serve(nix_environment, tmp_path / "s", NIXERY_PKGS_PATH=str(tiny)) as served:
        digest = served.digest(IMAGE)
        second = publish("second", ("bash", "coreutils"))
        assert together() == together("--tables", first) == {("git-2.47.0", "perl-5.40.0")}
        assert together("--tables", second) == {("bash-5.2", "coreutils-9.1")}
    build = ("build", IMAGE, "-o")
    assert nixery(*build, tmp_path / "1", **storage).strip() == digest
    assert nixery(*build, tmp_path / "2", "--tables", first, **storage).strip() == digest
    assert nixery(*build, tmp_path / "3", "--tables", second, **storage).strip() != digest


def test_a_plan_gives_reasons(nixery):
    text = nixery("plan", IMAGE, NIXERY_LAYER_BUDGET="3")
    assert text.count("alone: one of the largest") == 2
    assert text.count("the rest") == 1
    assert "tables: none" in text


def test_what_goes_wrong_is_one_line(nixery, tmp_path):
    assert "did you mean" in nixery("plan", "gti", status=1)
    assert "no storage to read table" in nixery("plan", "git", "--tables", "0" * 64, status=2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    assert "create it first" in nixery("build", "git", "-o", tmp_path / "no/image", status=2)
    assert "is not an empty directory" in nixery("build", "git", "-o", tmp_path / "full", status=2)
    nowhere = {"NIXERY_STORAGE_BACKEND": "filesystem", "STORAGE_PATH": str(tmp_path / "no")}
    assert "this directory does not exist" in nixery("plan", "git", status=2, **nowhere)

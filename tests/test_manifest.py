"""Config and manifest: their complete contents."""

import hashlib
import json
from dataclasses import replace

import pytest

from nixery import image_name, manifest
from nixery.closure import Package
from nixery.oci import Digest, Format, PackedLayer

LAYERS = (
    PackedLayer(Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64), 10, "gzip"),
    PackedLayer(Digest("sha256:" + "c" * 64), Digest("sha256:" + "d" * 64), 20, "gzip"),
)


HASH = "00bgd045z0d4icpbc2yyz4gx48ak44la"
PATHS = [f"/nix/store/{HASH}-{name}" for name in ("zlib-1.3", "glibc-2.40", "git-2.47", "gawk-5")]


def package(name, main_program=""):
    path = f"/nix/store/{HASH}-{name}-1.0"
    return Package(name, f"{path}.drv", (("out", path),), main_program)


def config_of(name, *packages):
    planned = [tuple(PATHS)]
    return json.loads(manifest.config(LAYERS, image_name.parse(name), packages, planned))


def test_the_config_lists_the_tars_in_order():
    assert config_of("git")["rootfs"] == {
        "type": "layers",
        "diff_ids": ["sha256:" + "b" * 64, "sha256:" + "d" * 64],
    }


def test_the_history_says_what_is_in_each_layer():
    """One entry for each: builders that derive an image rely on it."""
    entries = config_of("git", package("cacert"), package("git"))["history"]
    assert [entry["created_by"] for entry in entries] == [
        "nixery: store paths gawk-5, git-2.47, glibc-2.40 and 1 more",
        "nixery: links to cacert-1.0, git-1.0",
    ]
    assert {entry["created"] for entry in entries} == {"1970-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("name", "architecture"),
    [("git", "amd64"), ("amd64/git", "amd64"), ("arm64/git", "arm64"), ("git/arm64", "amd64")],
)
def test_the_config_names_the_architecture(name, architecture):
    config = config_of(name)
    assert (config["architecture"], config["os"]) == (architecture, "linux")
    assert config["created"].startswith("1970-01-01")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("shell", ["bash"]),
        ("shell/hello", ["bash"]),
        ("hello", ["hi"]),
        ("arm64/hello", ["hi"]),
        ("git", None),
        ("git/hello", None),
    ],
)
def test_the_command(name, command):
    """The shell, or the main program of the only package, if it names one."""
    known = {"hello": package("hello", "hi"), "git": package("git")}
    packages = [known.get(part) or package(part) for part in image_name.parse(name).packages]
    assert config_of(name, *packages)["config"].get("Cmd") == command


def test_programs_and_certificates_are_found():
    values = dict(entry.split("=", 1) for entry in config_of("git")["config"]["Env"])
    assert values["PATH"].split(":") == [
        *("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
    ]
    assert values["SSL_CERT_FILE"] == "/etc/ssl/certs/ca-bundle.crt"


@pytest.mark.parametrize("form", Format)
def test_the_manifest_describes_config_and_layers(form):
    config = manifest.config(LAYERS, image_name.parse("git"), (), [()])
    made = manifest.build(LAYERS, config, form)
    content = json.loads(made.data)
    assert content["schemaVersion"] == 2
    assert content["mediaType"] == made.media_type == form.value.manifest
    assert content["config"] == {
        "mediaType": form.value.config,
        "digest": "sha256:" + hashlib.sha256(config).hexdigest(),
        "size": len(config),
    }
    assert [(entry["digest"], entry["size"]) for entry in content["layers"]] == [
        (layer.digest, layer.size) for layer in LAYERS
    ]
    assert {entry["mediaType"] for entry in content["layers"]} == {form.value.layers["gzip"]}


@pytest.mark.parametrize("form", Format)
def test_the_digest_is_that_of_the_bytes_served(form):
    made = manifest.build(LAYERS, b"{}", form)
    assert made.digest == "sha256:" + hashlib.sha256(made.data).hexdigest()


@pytest.mark.parametrize(
    ("kind", "oci", "docker"),
    [("gzip", ".tar+gzip", ".tar.gzip"), ("zstd", ".tar+zstd", None), ("none", ".tar", ".tar")],
)
def test_the_media_type_is_that_of_the_layer(kind, oci, docker):
    """The server's setting may have changed since."""
    layers = (LAYERS[0], replace(LAYERS[1], compression=kind))
    made = manifest.in_all_formats(layers, b"{}")
    types = {
        form: [layer["mediaType"] for layer in json.loads(found.data)["layers"]]
        for form, found in made.items()
    }
    common = "application/vnd.oci.image.layer.v1"
    expected = {Format.OCI: [f"{common}.tar+gzip", common + oci]}
    if docker:
        common = "application/vnd.docker.image.rootfs.diff"
        expected[Format.DOCKER] = [f"{common}.tar.gzip", common + docker]
    assert types == expected


def test_one_digest_per_format():
    digests = {manifest.build(LAYERS, b"{}", form).digest for form in Format}
    assert len(digests) == len(Format)

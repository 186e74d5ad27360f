"""The packages for Nix, with a stand-in for nixpkgs (tests/nixpkgs) as strict as the original."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support.integration.container import in_container, unpack_archive
from support.integration.unpacked import inside, unpack
from support.served import serve
from support.standin import PROJECT, make_standin
from support.tiny_set import NIX_CONF_DIR

import nixery

pytestmark = pytest.mark.nix
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a store at /nix")

_PAGE = (PROJECT / "docs/kubernetes.md").read_text()
CAPABILITIES = yaml.safe_load(re.search(r"capabilities:\n +drop: .ALL.\n +add: (.+)", _PAGE)[1])
"""Of a pod."""
NOWHERE = "/var/empty"
"""A PATH that holds nothing."""
MOUNT, CHROOT, UNSHARE = (
    shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    for name in ("mount", "chroot", "unshare")
)


@pytest.fixture(scope="module")
def standin():
    return make_standin()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project without its history: the contents of a flake's archive."""
    return copy_project(tmp_path_factory.mktemp("project") / "nixery")


def copy_project(target, source=PROJECT):
    ignored = shutil.ignore_patterns(".*", "__pycache__", "result*", "benchmarks", "demo", "docs")
    shutil.copytree(source, target, ignore=ignored)
    return target


@pytest.fixture(scope="module")
def nix(nix_environment):
    """``nix("build", …)``: stdout of a command that succeeds, with flakes."""

    def run(*arguments, fails=False, within=()):
        environment = dict(nix_environment)
        if within:
            environment["NIX_REMOTE"] = "local"
        done = subprocess.run(
            [*within, *arguments],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    return run


@pytest.fixture(scope="module")
def build(nix, nix_store, standin):
    """``build(project, "nixery-bin")``: the path of the package, outside of its store's root."""

    def path(directory, attribute, *options, fails=False, pkgs=""):
        told = nix(
            *("nix-build", directory, "-A", attribute, "--no-out-link", *options),
            *("--arg", "pkgs", f"import {standin} {{ {pkgs} }}"),
            fails=fails,
        )
        return told if fails else nix_store / told.strip().removeprefix("/")

    return path


@pytest.fixture(scope="module")
def flake(nix, project, standin):
    """``flake("build", "#nixery-image")``: a nix command on the flake, with the stand-in."""
    overridden = ("--override-input", "nixpkgs", f"path:{standin}", "--no-write-lock-file")

    def run(*command, package="", rest=(), directory=project, **more):
        place = f"path:{directory}{package}"
        return nix("nix", *command, *overridden, place, *rest, **more)

    return run


def edit(directory, file, old, new):
    text = (directory / file).read_text()
    assert old in text
    (directory / file).write_text(text.replace(old, new))


def test_the_flake_is_whole(flake):
    """Every output of both systems can be evaluated: packages, the module's unit, VM tests."""
    flake("flake", "check", "--no-build")
    shown = json.loads(flake("flake", "show", "--json"))
    for system in ("x86_64-linux", "aarch64-linux"):
        assert shown["packages"][system].keys() == {
            *("default", "nixery", "nixery-bin", "nixery-image"),
            *("nixery-popcount", "nixery-prepare-image"),
        }
        assert {"module", "nixery", "vm-registry"} <= shown["checks"][system].keys()


def test_the_lock_names_one_input(project):
    """A pin with a hash, so that only nixpkgs decides what is built."""
    nodes = json.loads((project / "flake.lock").read_text())["nodes"]
    assert nodes.keys() == {"root", "nixpkgs"}
    assert nodes["nixpkgs"]["locked"]["narHash"].startswith("sha256-")


def test_nix_build_gives_the_default_package(flake, build, project, tmp_path):
    link = tmp_path / "result"
    flake("build", rest=("--out-link", link))
    assert link.readlink().name == build(project, "nixery-bin").name


def test_the_unit_of_the_module(flake, nix_store, tmp_path):
    """`nix flake check` builds it out of a system that has the service on."""
    flake("build", package="#checks.x86_64-linux.module", rest=("--out-link", tmp_path / "unit"))
    unit = nix_store / (tmp_path / "unit").readlink().relative_to("/") / "nixery.service"
    assert "nixery-bin-" in unit.read_text()


WRONG = [
    ("nix/package.nix", "pyproject = true;", "pyproject = true; doChek = 1;", "argument 'doChek'"),
    ("nix/package.nix", "    starlette\n", "    starlet\n", "starlet"),
    ("nix/package.nix", "    tenacity\n", "", 'tenacity>=8.2; extra == "s3" is required'),
    ("nix/package.nix", "    uvicorn\n", "    uvicorn\n    h11\n", "not required"),
    ("pyproject.toml", "structlog >=23.2", "structlog >=99", "structlog>=99 is required"),
    ("nix/package.nix", '"nixery.service"', '"nixery.servic"', "No module named"),
    ("nix/package.nix", "mainProgram", "mainPrograms", "argument 'mainPrograms'"),
    ("nix/prepare-image.nix", "--suffix", "--sufix", "unknown option --sufix"),
    ("nix/prepare-image.nix", "nativeBuildInputs = [ makeWrapper ];", "", "wrapProgram"),
    ("nix/prepare-image.nix", "@expressions@", "@expression@", "no @expression@"),
    ("nix/image.nix", "maxLayers;", "maxLayer;", "maxLayer"),
    ("nix/deflate.nix", "build-system", "build-systems", "argument 'build-system'"),
]


@pytest.mark.parametrize(("file", "old", "new", "message"), WRONG, ids=[w[-1] for w in WRONG])
def test_a_mistake_is_noticed(build, project, tmp_path, *, file, old, new, message):
    """A check of the other tests: the stand-in does not accept everything."""
    wrong = copy_project(tmp_path / "nixery", project)
    edit(wrong, file, old, new)
    assert message in build(wrong, "nixery-image", fails=True)


def test_documents_change_no_package(build, project, tmp_path):
    """The package is rebuilt only when its own files or those of its tests change."""
    before = build(project, "nixery")
    # Not the work tree, which may change meanwhile.
    changed = copy_project(tmp_path / "nixery", project)
    (changed / "tests/integration/conftest.py").write_text("")
    (changed / "module.nix").write_text("")
    (changed / "nixery/__pycache__").mkdir()
    (changed / "nixery/__pycache__/settings.pyc").write_text("")
    assert build(changed, "nixery") == before
    edit(changed, "nixery/__main__.py", "main", "main ")
    assert build(changed, "nixery") != before


def test_the_builder_knows_our_expressions_only(build, project, nix_store):
    """One place is filled in; Nix and git are what PATH has."""
    command = build(project, "nixery-prepare-image") / "bin/.nixery-prepare-image-wrapped"
    source = (PROJECT / "nixery/expressions/prepare-image.sh").read_text().splitlines()
    ((before, filled_in),) = [
        pair
        for pair in zip(source, command.read_text().splitlines(), strict=True)
        if len(set(pair)) > 1
    ]
    assert before.count("@expressions@") == 1
    place = filled_in.removeprefix(before.partition("@")[0]).removesuffix("}")
    assert (nix_store / place.lstrip("/") / "packages.nix").exists()


def with_store(nix_store, *command):
    """The command, in a namespace where the tests' store lies at /nix."""
    Path("/nix").mkdir(exist_ok=True)
    script = f'{MOUNT} --bind {nix_store}/nix /nix; exec "$@"'
    return (UNSHARE, "--mount", "/bin/sh", "-euc", script, "sh", *command)


@as_root
def test_nix_run(flake, nix_store):
    """With the store in its place.

    For a store elsewhere Nix starts itself, where scripts/with-nix has put another program.
    """
    version = flake("run", rest=("--", "--version"), within=with_store(nix_store))
    assert version == f"nixery, version {nixery.__version__}\n"
    said = flake("run", within=with_store(nix_store), fails=True)
    assert "set exactly one of NIXERY_CHANNEL" in said, "it wants to serve"


@as_root
def test_the_host_s_nix_comes_first(build, project, nix_store, tmp_path):
    """It must match the host's daemon; the packaged one is for hosts without."""
    (tmp_path / "nix").write_text('#!/bin/sh\necho "the host\'s"\n')
    (tmp_path / "nix").chmod(0o755)
    command = build(project, "nixery-prepare-image") / "bin/nixery-prepare-image"
    inside_store = f"/{command.relative_to(nix_store)}"
    asked = with_store(nix_store, inside_store, "closure", "/nix/store/none")
    for path, answer in ((str(tmp_path), "the host's\n"), (NOWHERE, "")):
        done = subprocess.run(
            asked,
            env={
                "PATH": path,
                "HOME": str(tmp_path),
                "NIX_REMOTE": str(tmp_path / "store"),
                "NIX_CONF_DIR": str(NIX_CONF_DIR),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == answer, done.stderr
    assert "/nix/store/none" in done.stderr, "the packaged Nix has looked"


@as_root
def test_the_server_needs_nothing_else(build, project, nix_store, tiny, tmp_path):
    """With no PATH but its own, and only a source and a storage set, it serves an image."""
    program = build(project, "nixery-bin") / "bin/nixery"
    command = with_store(nix_store, f"/{program.relative_to(nix_store)}", "serve")
    environment = {
        "PATH": NOWHERE,
        "HOME": str(tmp_path),
        # A separate store: this Nix may be another version than the tests'.
        "NIX_REMOTE": str(tmp_path / "store"),
        "NIX_CONF_DIR": str(NIX_CONF_DIR),
    }
    directory = tmp_path / "registry"
    with serve(environment, directory, command, NIXERY_PKGS_PATH=str(tiny)) as registry:
        root = unpack(registry, "shell/hello", tmp_path)
    assert inside(root, "hello") == "hello 2.12.1\n"


@as_root
def test_popcount(build, project, nix_store, tmp_path):
    program = build(project, "nixery-popcount") / "bin/nixery-popcount"
    done = subprocess.run(
        with_store(nix_store, f"/{program.relative_to(nix_store)}", "--help"),
        env={"PATH": NOWHERE, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Analyse a package set" in done.stdout


@as_root
def test_the_image_is_a_registry(build, project, tiny, tmp_path):
    """As a runtime starts it, it builds with the Nix that it brings, and serves an image.

    It has the capabilities that docs/kubernetes.md gives it, and no others.
    """
    archive = build(project, "nixery-image", "--argstr", "preLaunch", "echo launched > /launched")
    root = tmp_path / "container"
    config = unpack_archive(archive, root)
    shutil.copytree(tiny, root / "set")
    started = in_container(root, CAPABILITIES)
    environment = dict(variable.split("=", 1) for variable in config["Env"])
    settings = {
        "STORAGE_PATH": "/var/lib/nixery/storage",
        "NIXERY_STATE_DIR": environment["NIXERY_STATE_DIR"],
        "NIXERY_PKGS_PATH": "/set",
        "NIX_CONFIG": "substituters =",
    }
    command = (*started, *config["Entrypoint"], *config["Cmd"])
    with serve(environment, tmp_path / "registry", command, **settings) as registry:
        pulled = unpack(registry, "shell/hello", tmp_path)
    assert inside(pulled, "hello") == "hello 2.12.1\n"
    assert (root / "launched").read_text() == "launched\n"


@pytest.mark.full
def test_the_package_passes_its_checks(build, project):
    """The package's tests need no network and no Nix, only what a build has."""
    build(project, "nixery", pkgs="doCheck = true;")

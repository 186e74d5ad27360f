"""The demo package set on a real Nix: it evaluates like nixpkgs, and its programs run."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.demo_set import DEMO, PROJECT, use_makers_code
from support.tiny_set import NIX_CONF_DIR

use_makers_code()

from debset import table as tables  # noqa: E402 - found by the line above
from debset.smoke import closure, outputs, run_alone  # noqa: E402

pytestmark = pytest.mark.nix

TABLE = tables.read(DEMO / "packages.json")
IMAGES = json.loads((DEMO / "images.json").read_text())
RESTRICTED = ("--option", "restrict-eval", "true")
RESTRICTED += ("--option", "allow-import-from-derivation", "false")


@pytest.fixture
def commands_use_the_store(nix_environment, monkeypatch):
    """Commands of the maker's own code use Nix with the tests' settings."""
    for name, value in nix_environment.items():
        monkeypatch.setenv(name, value)


def evaluate(environment, directory, expression, *options):
    """The value of a Nix expression in which ``pkgs`` is the set."""
    text = f'let pkgs = import {directory} {{ system = "x86_64-linux"; }}; in {expression}'
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", *options, "-E", text],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def out_paths(environment, directory, *options):
    return evaluate(
        environment,
        directory,
        "builtins.mapAttrs (_: p: map (o: o.outPath) p.all) { inherit (pkgs) git curl python3; }",
        *options,
    )


def test_restricted_evaluation_needs_its_directory_only(nix_environment, demo_set):
    paths = out_paths(nix_environment, demo_set, *RESTRICTED, "-I", str(demo_set))
    assert paths["git"][0].startswith("/nix/store/")


def test_paths_depend_on_neither_place_nor_user(nix_environment, demo_set, tmp_path):
    """The set is moved, its files' times and its mask differ: the paths do not."""
    moved = tmp_path / "elsewhere"
    shutil.copytree(demo_set, moved, copy_function=shutil.copy)
    environment = {**nix_environment, "HOME": str(tmp_path), "USER": "somebody"}
    assert out_paths(environment, moved) == out_paths(nix_environment, demo_set)


def test_packages_look_like_those_of_nixpkgs(nix_environment, demo_set):
    curl = evaluate(
        nix_environment,
        demo_set,
        "{ inherit (pkgs.curl) pname version name type outputs outputName system meta;"
        "  first = pkgs.curl.outPath == pkgs.curl.bin.outPath;"
        "  other = pkgs.curl.out.outPath == pkgs.curl.bin.outPath; }",
    )
    assert curl["type"] == "derivation"
    assert curl["name"] == f"curl-{curl['version']}"
    assert curl["outputs"] == ["bin", "dev", "out", "man"]
    assert curl["outputName"] == "bin"
    assert (curl["first"], curl["other"]) == (True, False)
    meta = curl["meta"]
    assert meta["outputsToInstall"] == ["bin", "man"]
    assert meta["mainProgram"] == "curl"
    assert meta["description"]
    assert meta["available"] is True
    assert {meta[flag] for flag in ("unfree", "broken", "insecure", "unsupported")} == {False}


def test_nested_sets_and_odd_names(nix_environment, demo_set):
    assert evaluate(
        nix_environment,
        demo_set,
        "[ pkgs.python3Packages.requests.pname pkgs._7zip.pname pkgs.bashInteractive.pname"
        "  pkgs.python3Packages.recurseForDerivations ]",
    ) == ["python3-requests", "7zip", "bash", True]


def test_another_system_is_refused_but_described(nix_environment, demo_set):
    """As in nixpkgs: ``meta`` can be read, the package cannot, unless the configuration says so."""
    foreign = f'(import {demo_set} {{ system = "aarch64-linux"; }}).hello'
    allowed = (
        f'(import {demo_set} {{ system = "aarch64-linux"; config.allowUnsupportedSystem = true; }})'
    )
    assert evaluate(
        nix_environment,
        demo_set,
        f"[ {foreign}.meta.unsupported (builtins.tryEval {foreign}.drvPath).success"
        f"  (builtins.tryEval {allowed}.hello.drvPath).success ]",
    ) == [True, False, True]


def build(directory, attributes):
    """Builds, and returns the store paths that an image gets, by name."""
    names = {name for a in attributes for name in (a.name, *a.together)}
    subprocess.run(
        [PROJECT / "scripts/demo", "--output", directory, "--build", *sorted(names)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return outputs(directory, names)


def check_each(directory, attributes):
    paths = build(directory, attributes)
    wrong = {}
    for a in attributes:
        if a.smoke:
            own = [path for name in (a.name, *a.together) for path in paths[name]]
            done = run_alone(own, list(a.smoke), a.user)
            if done.returncode != 0:
                wrong[a.name] = done.stdout
    assert wrong == {}


@pytest.mark.usefixtures("commands_use_the_store")
def test_every_package_runs_from_its_closure_alone(demo_set):
    check_each(demo_set, TABLE.select(whole=False))


@pytest.mark.full
@pytest.mark.usefixtures("commands_use_the_store")
def test_every_package_of_the_whole_set_runs_from_its_closure_alone(demo_set_whole):
    check_each(demo_set_whole, TABLE.select(whole=True))


@pytest.mark.full
@pytest.mark.usefixtures("commands_use_the_store")
def test_size_of_the_whole_set(demo_set_whole, nix_environment):
    """What the benchmarks need: at least 230 store paths, 1 GB, and 500 MiB in one image."""
    attributes = TABLE.select(whole=True)
    paths = build(demo_set_whole, attributes)
    everything = closure(path for own in paths.values() for path in own)
    assert len(everything) >= 230
    assert total_size(nix_environment, everything) >= 10**9

    image = [*IMAGES["20"]["packages"], "cacert", "iana-etc"]
    assert total_size(nix_environment, closure(p for n in image for p in paths[n])) >= 500 * 2**20


def total_size(environment, paths):
    done = subprocess.run(
        ["nix-store", "--query", "--size", *paths],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return sum(map(int, done.stdout.split()))


SCRIPT = "printf '#!/usr/bin/env bash\\necho $((6 * 7))\\n' > /tmp/s; chmod +x /tmp/s; /tmp/s"


@pytest.mark.usefixtures("commands_use_the_store")
@pytest.mark.parametrize(
    ("names", "command", "answer"),
    [
        (["bash", "coreutils"], ["bash", "-c", SCRIPT], "42\n"),
        (["git"], ["git-upload-pack", "-h"], "usage: git-upload-pack"),
        (["git"], ["git", "submodule", "-h"], "usage: git submodule"),
        (["python3"], ["python3", "-c", "import requests"], "No module named 'requests'"),
    ],
    ids=["env finds bash", "git by a link", "git's shell scripts", "modules stay apart"],
)
def test_what_people_rely_on(demo_set, names, command, answer):
    paths = build(demo_set, [a for a in TABLE.attributes if a.name in names])
    done = run_alone([path for own in paths.values() for path in own], command)
    assert answer in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_can_use_the_set(nix_environment, demo_set):
    """With a chroot store of that user's own, and the same paths as root's."""
    with TemporaryDirectory(prefix="demo-user-") as scratch:
        place = Path(scratch)
        place.chmod(0o755)  # pytest's own directory is root's only
        shutil.copytree(demo_set, place / "set", copy_function=os.link)
        for directory in (place / "home", place / "store"):
            directory.mkdir()
            os.chown(directory, 65534, 65534)
        environment = {
            **nix_environment,
            "HOME": str(place / "home"),
            "NIX_REMOTE": str(place / "store"),
        }
        shutil.copytree(NIX_CONF_DIR, place / "conf")
        environment["NIX_CONF_DIR"] = str(place / "conf")
        done = subprocess.run(
            ["nix-build", str(place / "set"), "--no-out-link", "-A", "hello"],
            env=environment,
            user=65534,
            group=65534,
            extra_groups=[],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        hello = evaluate(nix_environment, demo_set, "pkgs.hello.outPath")
        assert done.stdout == f"{hello}\n"
        subprocess.run(["chmod", "-R", "u+w", str(place)], check=True)

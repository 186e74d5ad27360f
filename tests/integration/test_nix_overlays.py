"""Overlays and the search path of the operator, with a real Nix."""

import pytest
from support.served import serve
from support.tiny_set import request, source_of

from nixery.errors import EvaluationFailed
from nixery.nix import Evaluation, Nix

pytestmark = pytest.mark.nix

# As nixpkgs applies them.
SET = """
{{ system, overlays }}:
let
  base = import {tiny} {{ inherit system; }};
  final = builtins.foldl' (prev: overlay: prev // overlay final prev) base overlays;
in
final
"""
ADDS = "final: prev: {{ {name} = prev.{name} or final.{other}; }}"


@pytest.fixture
def package_set(tiny, tmp_path):
    directory = tmp_path / "set"
    directory.mkdir()
    (directory / "default.nix").write_text(SET.format(tiny=tiny))
    return directory


@pytest.fixture
def evaluate(nix_environment, tiny):
    """The name of the only output of a package."""

    async def evaluate(source, name, *overlays, **search_path):
        may = Evaluation(
            allowed_paths=(tiny,), overlays=overlays, search_path=tuple(search_path.items())
        )
        nix = Nix(environment=nix_environment, evaluation=may)
        (package,) = await nix.evaluate(source_of(source), request(name))
        return package.paths[0][44:]

    return evaluate


@pytest.mark.anyio
async def test_a_directory_of_overlays_in_order(evaluate, package_set, tmp_path):
    """Files and directories; the first one that defines a name wins here."""
    overlays = tmp_path / "overlays"
    (overlays / "20-second").mkdir(parents=True)
    (overlays / "10-first.nix").write_text(ADDS.format(name="tool", other="git"))
    (overlays / "20-second/default.nix").write_text(ADDS.format(name="tool", other="hello"))
    (overlays / "README").write_text("not an overlay")
    (overlays / "empty").mkdir()
    assert await evaluate(package_set, "tool", overlays) == "git-2.47.0"
    (overlays / "10-first.nix").rename(overlays / "30-last.nix")
    assert await evaluate(package_set, "tool", overlays) == "hello-2.12.1"


@pytest.mark.anyio
async def test_a_file_and_a_directory_that_is_an_overlay(evaluate, package_set, tmp_path):
    file, directory = tmp_path / "one.nix", tmp_path / "two"
    directory.mkdir()
    file.write_text(ADDS.format(name="one", other="git"))
    (directory / "default.nix").write_text("import ./overlay.nix")
    (directory / "overlay.nix").write_text(ADDS.format(name="two", other="one"))
    assert await evaluate(package_set, "two", file, directory) == "git-2.47.0"


@pytest.mark.anyio
async def test_a_set_without_overlays(evaluate, tmp_path):
    (tmp_path / "default.nix").write_text("{ system }: { }")
    (tmp_path / "overlay.nix").write_text("final: prev: { }")
    with pytest.raises(EvaluationFailed, match="the package set takes no argument overlays"):
        await evaluate(tmp_path, "hello", tmp_path / "overlay.nix")


@pytest.mark.anyio
async def test_the_search_path(evaluate, tiny, tmp_path):
    (tmp_path / "default.nix").write_text("{ system }: import <nixpkgs> { inherit system; }")
    assert await evaluate(tmp_path, "git", nixpkgs=tiny) == "git-2.47.0"
    with pytest.raises(EvaluationFailed, match=r"NIXERY_NIX_PATH gives evaluation a search path"):
        await evaluate(tmp_path, "git", other=tiny)


@pytest.mark.parametrize(
    ("expression", "setting"),
    [
        ('builtins.fetchTarball "http://127.0.0.1:1/x.tar.gz"', "NIXERY_ALLOWED_URIS"),
        ('builtins.fetchurl "http://127.0.0.1:1/x"', "NIXERY_ALLOWED_URIS"),
        ('builtins.fetchGit "http://127.0.0.1:1/x"', "NIXERY_ALLOWED_URIS"),
        ("builtins.readFile /etc/hostname", "NIXERY_ALLOWED_PATHS"),
        ("<nixpkgs>", "NIXERY_NIX_PATH"),
        ('builtins.getFlake "github:NixOS/nixpkgs"', "flakes are off"),
        ('builtins.fetchTree { type = "path"; path = "/etc"; }', "flakes are off"),
        ("import (import {tiny} {{ }}).hello", "NIXERY_ALLOW_IFD"),
    ],
)
@pytest.mark.anyio
async def test_the_setting_that_helps_is_named(evaluate, tiny, tmp_path, expression, setting):
    """Of a single package, and if the whole set needs it."""
    expression = expression.replace("{tiny} {{ }}", f"{tiny} {{ }}")
    (tmp_path / "default.nix").write_text(f"{{ it = {expression}; }}")
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "default.nix").write_text(f"builtins.seq ({expression}) {{ }}")
    for place in (tmp_path, whole):
        with pytest.raises(EvaluationFailed) as caught:
            await evaluate(place, "it")
        assert setting in caught.value.message
        assert caught.value.message.count("NIXERY_") == 1


def test_a_changed_overlay_is_another_image(nix_environment, package_set, tiny, tmp_path):
    """Without a restart: its content is part of the keys of all caches."""
    overlay = tmp_path / "overlay.nix"
    overlay.write_text(ADDS.format(name="tool", other="git"))
    settings = {
        "NIXERY_PKGS_PATH": str(package_set),
        "NIXERY_ALLOWED_PATHS": str(tiny),
        "NIXERY_OVERLAYS": str(overlay),
        "NIXERY_RESOLVE_TTL": "0",
    }
    with serve(nix_environment, tmp_path / "registry", **settings) as served:
        before = served.digest("tool")
        assert served.digest("tool") == before
        overlay.write_text(ADDS.format(name="tool", other="hello"))
        after = served.digest("tool")
    assert before != after
    assert after == _digest_of("hello", nix_environment, tiny, tmp_path)


def _digest_of(name, environment, tiny, tmp_path):
    with serve(environment, tmp_path / "plain", NIXERY_PKGS_PATH=str(tiny)) as served:
        return served.digest(name)

"""Counting this machine's store, with a Nix that records its calls."""

import json

import pytest
from click.testing import CliRunner

from nixery.cli.popcount import popcount

HELLO = "/nix/store/00000000000000000000000000000000-hello-2.12"
CLOSURE = json.dumps({HELLO: {"narSize": 1, "references": []}})
SAID = '@nix {"action":"msg","level":1,"msg":"warning: said by Nix"}'


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The file of recorded calls, one per line; the current directory is empty."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "here").mkdir()
    command = tmp_path / "bin/nixery-prepare-image"
    command.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" >{tmp_path}/asked\necho '{SAID}' >&2\necho '{CLOSURE}'\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "asked"


@pytest.fixture
def count(asked, tmp_path):  # noqa: ARG001 - its Nix
    def run(*paths):
        result = CliRunner().invoke(popcount, ["store", *paths, "-o", str(tmp_path / "out")])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.mark.parametrize("named", ["result", "./result", "../here/result", "{here}/result"])
def test_a_link_is_followed_from_the_current_directory(count, asked, tmp_path, named):
    (tmp_path / "here/result").symlink_to(HELLO)
    result = count(named.format(here=tmp_path / "here"))
    assert result.exit_code == 0, result.output
    assert asked.read_text().split() == ["closure", HELLO]


def test_links_are_followed_into_the_store_and_no_further(count, asked, tmp_path):
    """By way of a directory that is a link, and of a relative one."""
    (tmp_path / "here/profile").symlink_to("../profiles")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/now").symlink_to("generation-1")
    (tmp_path / "profiles/generation-1").symlink_to(HELLO)
    assert count("profile/now").exit_code == 0
    assert asked.read_text().split() == ["closure", HELLO]


def test_a_store_path_is_used_unchanged(count, asked):
    """Its files may be in another place than its name says."""
    assert count(HELLO, f"{HELLO}/bin/hello").exit_code == 0
    assert asked.read_text().split() == ["closure", HELLO, f"{HELLO}/bin/hello"]


@pytest.mark.parametrize("named", ["nixpkgs", "nixpkgs#hello", "file", ".", "circle", "/nix/store"])
def test_other_paths_never_reach_nix(count, asked, tmp_path, named):
    """Nix would take it for a flake, and might go to the network for it."""
    (tmp_path / "here/file").touch()
    (tmp_path / "here/circle").symlink_to("circle")
    result = count(named)
    assert result.exit_code == 1
    assert f"nixery: {named} is not a store path or a link to one" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not asked.exists()


def test_nix_messages_are_not_in_the_output(count):
    result = count(HELLO)
    assert "said by Nix" not in result.stdout
    assert json.loads(result.stderr.splitlines()[0])["line"].endswith("said by Nix")

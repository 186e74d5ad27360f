"""The Nix code of docs/nixos.md: what an operator pastes is accepted."""

import re
import subprocess

import pytest
from support.nixos_module import ROOT, evaluate

pytestmark = pytest.mark.nix

PAGE = (ROOT / "docs/nixos.md").read_text()
BLOCKS = re.findall(r"```nix\n(.*?)```", PAGE, re.DOTALL)
FLAKE, *MODULES = BLOCKS
MINIMAL = """{
  services.nixery.enable = true;
  services.nixery.source.channel = "nixos-unstable";
}"""


def check(text, tmp_path):
    """A module with the files that it names, in a configuration with the service enabled."""
    (tmp_path / "module.nix").write_text(text)
    (tmp_path / "known-hosts").write_text("git.example.org ssh-ed25519 AAAA\n")
    enabled = MINIMAL if "nixery.source" not in text else "{ services.nixery.enable = true; }"
    found = evaluate(f"import {tmp_path}/module.nix", enabled)
    assert found["failed"] == []
    assert found["warnings"] == []


@pytest.mark.parametrize("text", MODULES, ids=range(len(MODULES)))
def test_modules(text, tmp_path):
    check(text, tmp_path)


def test_the_first_example(tmp_path):
    """The flake itself needs nixpkgs; its inner module does not."""
    (tmp_path / "flake.nix").write_text(FLAKE)
    subprocess.run(["nix-instantiate", "--parse", tmp_path / "flake.nix"], check=True)
    lines = re.findall(r"^ +(services\..+)$", FLAKE, re.MULTILINE)
    assert len(lines) == 3
    check("{ " + " ".join(lines) + " }", tmp_path)


def test_a_wrong_example_is_noticed(tmp_path):
    with pytest.raises(AssertionError):
        check("{ services.nixery.openFirewall = true; }", tmp_path)

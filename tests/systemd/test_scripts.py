"""The scripts of nixos-tests/, on a booted systemd without NixOS."""

import pytest
from machine import script_globals
from nixos_module import ROOT
from nodes import SET

SCRIPTS = ROOT / "nixos-tests"


def node(script, name):
    return f'(import {SCRIPTS}/{script}.nix {{ set = "{SET}"; }}).nodes.{name}'


def run(script, machines):
    source = (SCRIPTS / f"{script}.py").read_text()
    exec(compile(source, f"{script}.py", "exec"), script_globals(machines))


@pytest.mark.nix
def test_registry(machines):
    made = machines({"registry": [node("registry", "registry")]})
    # One machine is both: podman runs in it, too.
    run("registry", made | {"client": made["registry"]})

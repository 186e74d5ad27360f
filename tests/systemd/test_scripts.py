"""The scripts of nixos-tests/, on a booted systemd without NixOS."""

import pytest
from support.nixos_module import ROOT
from support.systemd.machine import script_globals
from support.systemd.nodes import SET

pytestmark = pytest.mark.nix

SCRIPTS = ROOT / "nixos-tests"


def node(script, name):
    return f'(import {SCRIPTS}/{script}.nix {{ set = "{SET}"; }}).nodes.{name}'


def run(script, machines):
    source = (SCRIPTS / f"{script}.py").read_text()
    exec(compile(source, f"{script}.py", "exec"), script_globals(machines))


def test_registry(machines):
    """One machine is both: podman runs in it, too."""
    made = machines({"registry": [node("registry", "registry")]})
    run("registry", made | {"client": made["registry"]})


@pytest.mark.full
def test_hardening(machines):
    run("hardening", machines({"registry": [node("hardening", "registry")]}))


@pytest.mark.full
def test_gcs(machines):
    names = ("bucket", "one", "two", "front")
    run("gcs", machines({name: [node("gcs", name)] for name in names}))

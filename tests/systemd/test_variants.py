"""The unit as other configurations render it, unchanged, on a booted systemd."""

import re

import pytest
from support.systemd.nodes import SET
from support.systemd.started import NOT_AT_BOOT, URL, manifest, serving

pytestmark = [pytest.mark.nix, pytest.mark.full]


def exposure(machine):
    shown = machine.succeed("systemd-analyze security nixery.service --no-pager")
    return float(re.search(r"Overall exposure level for nixery.service: ([\d.]+)", shown)[1])


def test_a_port_below_1024(registry):
    machine = serving(registry("port = lib.mkForce 80;"), port=80)
    assert manifest(machine, "hello", "http://registry")
    assert exposure(machine) <= 1.5


def test_a_storage_elsewhere(registry):
    """It is made, and nothing is written to the state directory instead."""
    machine = serving(registry('storage.path = "/srv/images";'))
    assert manifest(machine, "hello")
    assert machine.succeed("stat --format='%U %a' /srv/images").split() == ["nixery", "700"]
    assert machine.succeed("ls /srv/images/layers")
    assert machine.succeed("ls /var/lib/nixery") == ""


def test_upkeep(registry):
    """The services of the timers, started by hand: beside a server, as the same user."""
    machine = serving(registry('gc = { enable = true; olderThan = "1d"; }; verify.enable = true;'))
    before = manifest(machine, "hello")
    for timer in ("nixery-gc.timer", "nixery-verify.timer"):
        machine.require_unit_state(timer)
    for service in ("nixery-gc.service", "nixery-verify.service"):
        machine.succeed(f"systemctl start {service}")
        assert machine.get_unit_property(service, "Result") == "success"
    assert manifest(machine, "hello") == before


def test_nginx_sends_the_blobs(registry):
    machine = serving(registry('nginx.virtualHost = "registry";'))
    machine.wait_for_unit("nginx.service")
    layer = manifest(machine, "hello", "http://registry")["layers"][0]
    path = f"/v2/hello/blobs/{layer['digest']}"
    got = machine.succeed(f"curl -sS --fail http://registry{path} | sha256sum").split()[0]
    assert f"sha256:{got}" == layer["digest"]
    headers = machine.succeed(f"curl -sS --fail --head http://registry{path}").lower()
    assert f"docker-content-digest: {layer['digest']}" in headers
    # Only through the server, and only layers; and only nginx may read the files.
    machine.fail(f"curl -sS --fail http://registry/internal/layers/{got}")
    machine.fail(f"runuser -u nobody -- cat /var/lib/nixery/layers/{got}")


def test_settings_from_a_file(registry):
    machine = registry('environmentFile = "/etc/nixery.env";', NOT_AT_BOOT)
    machine.succeed(
        "umask 077; echo NIXERY_ERROR_STATUS=strict > /etc/nixery.env",
        "systemctl start nixery.service",
    )
    serving(machine)
    status = machine.succeed(
        f"curl -s -o /dev/null -w '%{{http_code}}' {URL}/v2/failing/manifests/latest"
    )
    assert status == "502"


def test_wrong_configuration_is_not_tried_again(registry):
    machine = registry(f'source.path = lib.mkForce "{SET}-that-is-not-there";')
    machine.wait_until_succeeds("test $(systemctl show -P ActiveState nixery.service) = failed")
    assert machine.get_unit_property("nixery.service", "NRestarts") == "0"
    assert machine.get_unit_property("nixery.service", "ExecMainStatus") == "2"
    assert f"{SET}-that-is-not-there" in machine.journal("nixery.service")

"""How the service ends, on a booted systemd: asked to, killed, and when it hangs."""

import json

import pytest
from support.nixos_module import nix_text
from support.systemd.nodes import SET
from support.systemd.started import URL, manifest, serving

pytestmark = [pytest.mark.nix, pytest.mark.full]

MORE_PACKAGES = f"""
{{ system, config ? {{ }}, overlays ? [ ] }}:
let
  inherit (import {SET}/build.nix {{ inherit system config; }}) package;
in
import {SET} {{ inherit system config; }}
// {{
  brief = package {{ pname = "brief"; script = "bb sleep 4"; }};
  big = package {{
    pname = "big";
    script = "bb head -c 40000000 /dev/urandom > $out/share/big/data";
  }};
}}
"""
"""A package that takes some seconds to build, and one with a layer that takes as long to send."""


def test_a_crashed_server_is_restarted(registry):
    machine = serving(registry())
    before = manifest(machine, "hello")
    machine.succeed("systemctl kill --signal=KILL --kill-whom=main nixery.service")
    machine.wait_until_succeeds("test $(systemctl show -P NRestarts nixery.service) = 1")
    serving(machine)
    assert manifest(machine, "hello") == before


def test_a_hanging_server_is_restarted(registry):
    """It reports nothing for the unit's timeout, which is shortened here."""
    machine = serving(
        registry(
            "",
            "{ lib, ... }: { systemd.services.nixery.serviceConfig.WatchdogSec = lib.mkForce 5; }",
        )
    )
    before = manifest(machine, "hello")
    machine.succeed("systemctl kill --signal=STOP --kill-whom=main nixery.service")
    machine.wait_until_succeeds("test $(systemctl show -P NRestarts nixery.service) = 1")
    assert "Watchdog timeout" in machine.journal("nixery.service")
    serving(machine)
    assert manifest(machine, "hello") == before


def test_a_stop_lets_pulls_end(registry):
    """A build and a transfer are both in progress when the stop comes."""
    machine = serving(
        registry(
            f"""
            timeout = lib.mkForce 60;
            source.path = lib.mkForce "/etc/packages";
            evaluation.allowedPaths = [ "{SET}" ];
            """,
            f'{{ environment.etc."packages/default.nix".text = {nix_text(MORE_PACKAGES)}; }}',
        )
    )
    layer = max(manifest(machine, "big")["layers"], key=lambda layer: layer["size"])
    # Larger than the kernel's buffers of a connection, so that the server has to keep sending.
    assert layer["size"] > 20_000_000
    machine.succeed(
        f"curl -sS --fail --limit-rate 4M {URL}/v2/big/blobs/{layer['digest']} -o /tmp/blob"
        " >/dev/null 2>&1 & echo $! > /tmp/blob.pid",
        f"curl -sS --fail {URL}/v2/brief/manifests/latest -o /tmp/manifest"
        " >/dev/null 2>&1 & echo $! > /tmp/manifest.pid",
    )
    machine.wait_until_succeeds("pgrep --full 'busybox sleep 4'")
    machine.wait_for_file("/tmp/blob")
    machine.succeed("systemctl stop nixery.service")
    for pull in ("blob", "manifest"):
        machine.wait_until_fails(f"kill -0 $(cat /tmp/{pull}.pid)")
    assert json.loads(machine.succeed("cat /tmp/manifest"))["layers"]
    got = machine.succeed("sha256sum < /tmp/blob").split()[0]
    assert f"sha256:{got}" == layer["digest"]
    assert machine.get_unit_property("nixery.service", "Result") == "success"
    # Neither a process of the service nor a garbage collector root remains.
    assert machine.succeed("pgrep --uid nixery || true") == ""
    machine.fail("test -e /run/nixery")


def test_a_stop_ends_what_takes_too_long(registry):
    """A builder that would sleep for minutes is ended in time, the daemon's too."""
    machine = serving(registry("timeout = lib.mkForce 300;"))
    machine.succeed(f"curl -sS {URL}/v2/slow/manifests/latest >/dev/null 2>&1 &")
    machine.wait_until_succeeds("pgrep --full 'busybox sleep 300'")
    machine.succeed("systemctl stop nixery.service")
    machine.wait_until_fails("pgrep --full 'busybox sleep 300'", timeout=30)
    assert machine.get_unit_property("nixery.service", "Result") == "success"
    assert machine.succeed("pgrep --uid nixery || true") == ""

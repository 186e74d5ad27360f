"""The unit as other configurations render it, unchanged, on a booted systemd."""

import json
import re

import pytest
from nixos_module import ROOT, nix_text
from nodes import SET

pytestmark = [pytest.mark.nix, pytest.mark.full]

COMMON = f'import {ROOT}/nixos-tests/common.nix {{ set = "{SET}"; }}'
NOT_AT_BOOT = "{ lib, ... }: { systemd.services.nixery.wantedBy = lib.mkForce [ ]; }"
URL = "http://registry:8080"
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


@pytest.fixture
def registry(machines):
    """``registry(TEXT, …)``: a machine with these options of services.nixery, started."""

    def make(text="", *modules):
        own = f"{{ lib, ... }}: {{ services.nixery = {{ {text} }}; }}"
        machine = machines({"registry": [COMMON, own, *modules]})["registry"]
        machine.start()
        return machine

    return make


def serving(machine, port=8080):
    machine.wait_for_unit("nixery.service")
    machine.wait_for_open_port(port, "registry")
    return machine


def manifest(machine, image, url=URL, tag="latest"):
    return json.loads(machine.succeed(f"curl -sS --fail {url}/v2/{image}/manifests/{tag}"))


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
    """What the timers start, started by hand: beside a server, as the same user."""
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
    # Only through the server, and only layers; and nobody but nginx may read the files.
    machine.fail(f"curl -sS --fail http://registry/internal/layers/{got}")
    machine.fail(f"runuser -u nobody -- cat /var/lib/nixery/layers/{got}")


def test_a_private_repository(registry):
    """Over ssh from a server on this machine: key and host key are given as files."""
    machine = registry(
        """
        source.path = lib.mkForce null;
        source.repo = "ssh://root@registry/srv/packages.git";
        source.sshKeyFile = "/etc/secret/key";
        source.knownHostsFile = "/etc/secret/known-hosts";
        """,
        NOT_AT_BOOT,
    )
    machine.succeed(
        "install --directory --mode=700 /etc/secret ~root/.ssh",
        "ssh-keygen -q -t ed25519 -N '' -f /etc/secret/key",
        "cp /etc/secret/key.pub ~root/.ssh/authorized_keys",
        "ssh-keygen -A",
        "systemctl start ssh.service",
        f"cp --recursive {SET} /srv/packages",
        "git -C /srv/packages init --quiet --initial-branch=main",
        "git -C /srv/packages add --all",
        "git -C /srv/packages -c user.name=a -c user.email=a@b commit --quiet --message=packages",
        "git clone --quiet --bare /srv/packages /srv/packages.git",
        "echo other ssh-ed25519 AAAA > /etc/secret/known-hosts",
        "systemctl start nixery.service",
    )
    serving(machine)
    machine.fail(f"curl -sS --fail {URL}/v2/hello/manifests/main")
    assert "Host key verification failed" in machine.journal("nixery.service")

    machine.succeed(
        "echo registry $(cat /etc/ssh/ssh_host_ed25519_key.pub) > /etc/secret/known-hosts",
        "systemctl restart nixery.service",
    )
    serving(machine)
    assert manifest(machine, "hello", tag="main") == manifest(machine, "hello")
    revision = machine.succeed("git -C /srv/packages.git rev-parse HEAD").strip()
    assert manifest(machine, "hello", tag=revision) == manifest(machine, "hello")
    machine.fail("runuser -u nobody -- cat /run/credentials/nixery.service/ssh-key")


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


def test_a_crash_is_mended(registry):
    machine = serving(registry())
    before = manifest(machine, "hello")
    machine.succeed("systemctl kill --signal=KILL --kill-whom=main nixery.service")
    machine.wait_until_succeeds("test $(systemctl show -P NRestarts nixery.service) = 1")
    serving(machine)
    assert manifest(machine, "hello") == before


def test_wrong_configuration_is_not_tried_again(registry):
    machine = registry(f'source.path = lib.mkForce "{SET}-that-is-not-there";')
    machine.wait_until_succeeds("test $(systemctl show -P ActiveState nixery.service) = failed")
    assert machine.get_unit_property("nixery.service", "NRestarts") == "0"
    assert machine.get_unit_property("nixery.service", "ExecMainStatus") == "2"
    assert f"{SET}-that-is-not-there" in machine.journal("nixery.service")


def test_a_stop_lets_pulls_end(registry):
    """What is being built and what is being sent, both, when the stop comes."""
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
    # Larger than what the kernel keeps for a connection, so that the server has to go on sending.
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
    # Nothing is left behind: no process of the service, no root of what was packed.
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

"""What NixOS makes of services.nixery: secrets, directories, timers, nginx, the firewall."""

import re

import pytest
from support.module.services import configured, environment, nixery

pytestmark = pytest.mark.nix


def test_secrets_are_named_and_never_shown():
    unit = nixery(
        """
        source.sshKeyFile = "/run/ssh%key"; source.netrcFile = "/run/netrc";
        environmentFile = "/run/env";
        """
    )["units"]["nixery.service"]
    assert "LoadCredential=ssh-key:/run/ssh%%key\n" in unit
    assert "-i %d/ssh-key" in unit
    assert "LoadCredential=netrc:/run/netrc\n" in unit
    assert "EnvironmentFile=/run/env\n" in unit


def test_a_storage_elsewhere_is_made_and_writable():
    found = nixery('storage.path = "/srv/images";')
    rule = {"user": "nixery", "group": "nixery", "mode": "0700"}
    assert found["tmpfiles"] == {"nixery": {"/srv/images": {"d": rule}}}
    assert "ReadWritePaths=/srv/images\n" in found["units"]["nixery.service"]
    assert "RequiresMountsFor=/srv/images\n" in found["units"]["nixery.service"]


def test_timers():
    found = nixery(
        'gc = { enable = true; keepBytes = "50G"; dates = "hourly"; }; verify.enable = true;'
    )
    units = found["units"]
    assert "ExecStart=/usr/bin/nixery gc --keep-bytes 50G\n" in units["nixery-gc.service"]
    assert "OnCalendar=hourly\n" in units["nixery-gc.timer"]
    assert "ExecStart=/usr/bin/nixery verify\n" in units["nixery-verify.service"]
    assert "OnCalendar=monthly\n" in units["nixery-verify.timer"]


def test_timers_have_the_secrets_of_the_storage_only():
    units = nixery(
        """
        gc = { enable = true; olderThan = "30d"; };
        source.sshKeyFile = "/run/ssh"; source.netrcFile = "/run/netrc";
        storage = { backend = "gcs"; gcs.bucket = "b"; gcs.credentialsFile = "/run/gcs"; };
        """
    )["units"]
    keys = {
        unit: re.findall("LoadCredential=([a-z-]+):", units[f"{unit}.service"])
        for unit in ("nixery", "nixery-gc")
    }
    assert keys == {
        "nixery": ["gcs-credentials", "netrc", "ssh-key"],
        "nixery-gc": ["gcs-credentials"],
    }
    assert "ssh-key" not in units["nixery-gc.service"]


def test_nginx_waits_longer_than_an_image_may_take():
    found = nixery(
        'nginx.virtualHost = "example.org"; requestTimeout = 900; listenAddress = "::"; port = 81;'
    )
    front = found["nginx"]["virtualHosts"]["example.org"]["locations"]
    assert front["/"]["proxyPass"] == "http://127.0.0.1:81"
    assert "proxy_read_timeout 920s;" in front["/"]["extraConfig"]
    assert front["/internal/layers/"]["alias"] == "/var/lib/nixery/layers/"
    assert "internal;" in front["/internal/layers/"]["extraConfig"]
    assert found["supplementaryGroups"]["nginx"] == ["nixery"]
    assert list(found["units"]) == ["nixery.service"]


def test_nginx_sends_one_host_header_that_nixos_accepts():
    """NixOS builds no nginx.conf in which gixy finds a fault, and $http_host is one."""
    front = nixery('nginx.virtualHost = "example.org";')["nginx"]["virtualHosts"]["example.org"]
    location = front["locations"]["/"]
    assert location["extraConfig"].count("proxy_set_header Host $host;") == 1
    assert location["recommendedProxySettings"] is False


def test_nginx_can_have_headers_of_its_own():
    """To gixy, a location with headers must name those that are added around it."""
    front = nixery('nginx.virtualHost = "example.org";')["nginx"]["virtualHosts"]["example.org"]
    added = re.findall(
        r"^add_header (\S+) \$upstream_http_(\w+);$",
        front["locations"]["/internal/layers/"]["extraConfig"],
        re.MULTILINE,
    )
    assert {
        "Content-Security-Policy",
        "X-Content-Type-Options",
        "X-Frame-Options",
        "X-XSS-Protection",
    } <= {name for name, _ in added}
    assert all(variable == name.lower().replace("-", "_") for name, variable in added)


def test_a_port_of_nginx_is_reported():
    (warning,) = nixery('nginx.virtualHost = "example.org"; port = 80;')["warnings"]
    assert "services.nixery.port is 80, where nginx listens too" in warning


def test_nginx_reads_no_files_with_a_bucket():
    found = nixery(
        'nginx.virtualHost = "example.org"; storage = { backend = "gcs"; gcs.bucket = "b"; };'
    )
    assert list(found["nginx"]["virtualHosts"]["example.org"]["locations"]) == ["/"]
    assert found["supplementaryGroups"]["nginx"] == []
    assert "NIXERY_ACCEL_PREFIX" not in environment(found)


def test_the_firewall_opens_on_demand():
    found = nixery('openFirewall = true; port = 5000; listenAddress = "0.0.0.0";')
    assert found["ports"] == [5000]
    assert found["warnings"] == []


def test_a_useless_open_port_is_reported():
    (warning,) = nixery("openFirewall = true;")["warnings"]
    assert "listens on 127.0.0.1" in warning


def test_the_stop_outlasts_the_drain():
    """A server that is killed while transfers end would cut them."""
    unit = configured()["units"]["nixery.service"]
    assert int(re.search(r"TimeoutStopSec=(\d+)", unit)[1]) > 60 + 10


def test_an_evaluation_that_eats_all_memory_ends_alone():
    """By default, killing one process of the unit for memory would end all of them."""
    assert "OOMPolicy=continue\n" in configured()["units"]["nixery.service"]

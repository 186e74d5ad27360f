"""What the service may and may not do on its machine."""

import json

NIX = "nix --extra-experimental-features nix-command --store daemon"


def within(command: str) -> str:
    """A command that sees the files which the service sees."""
    server = registry.get_unit_property("nixery.service", "MainPID")
    return f"nsenter --target {server} --mount --wdns=/ -- {command}"


def status(field: str) -> str:
    """Of the server's process: a line of its status in /proc."""
    server = registry.get_unit_property("nixery.service", "MainPID")
    return registry.succeed(f"sed -n 's/^{field}:[[:space:]]*//p' /proc/{server}/status").strip()


start_all()
registry.wait_for_unit("nixery.service")
registry.wait_for_open_port(8080, "registry")

with subtest("Check that the exposure is small"):
    registry.succeed("systemd-analyze security nixery.service --threshold=15 --no-pager")

with subtest("Check that the server has no rights, and cannot get any"):
    assert int(status("CapEff"), 16) == 0
    assert int(status("CapBnd"), 16) == 0
    assert status("NoNewPrivs") == "1"
    assert status("Seccomp") == "2"

with subtest("Check that evaluation is confined: the server would not have started otherwise"):
    server = registry.get_unit_property("nixery.service", "MainPID")
    registry.succeed(
        f"grep --quiet --null-data --line-regexp NIXERY_CONFINE=1 /proc/{server}/environ"
    )

with subtest("Check that it works all the same"):
    registry.succeed("curl --silent --fail http://registry:8080/v2/hello/manifests/latest")

with subtest("Check that it may use Nix, and nobody else may, and is not trusted there"):
    info = json.loads(
        registry.succeed(f"runuser -u nixery -- env HOME=/tmp {NIX} store info --json")
    )
    assert not info["trusted"], info
    registry.fail(f"runuser -u nobody -- env HOME=/tmp {NIX} store info")

with subtest("Check that it does not see what is in homes"):
    registry.succeed("touch /root/private", "test -e /root/private")
    registry.fail(within("test -e /root/private"))

with subtest("Check that it writes into its own directories only"):
    registry.fail(within("touch /etc/written"), within("touch /usr/written"))
    registry.fail(within("touch /nix/store/written"), within("touch /var/lib/written"))
    for own in ("/var/lib/nixery", "/var/cache/nixery", "/run/nixery"):
        registry.succeed(within(f"touch {own}/written"))
        assert registry.succeed(f"stat --format='%U %a' {own}").split() == ["nixery", "700"]

with subtest("Check that a secret reaches nobody but the server"):
    credential = "/run/credentials/nixery.service/netrc"
    registry.succeed(f"runuser -u nixery -- grep --quiet secret {credential}")
    registry.fail(f"runuser -u nobody -- cat {credential}")
    registry.succeed("runuser -u nixery -- grep --quiet secret /var/cache/nixery/.netrc")
    server = registry.get_unit_property("nixery.service", "MainPID")
    registry.fail(f"grep --quiet secret /proc/{server}/environ")

with subtest("Check that roots go with the service"):
    registry.succeed("systemctl stop nixery.service")
    registry.fail("test -e /run/nixery")

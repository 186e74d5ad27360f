"""The machine's part of confinement: stores, ports and programs of evaluation."""

from pathlib import Path

import pytest

from nixery.nix.environment import for_nix
from nixery.nix.machine import Machine, protocols


@pytest.mark.parametrize(
    ("uris", "proxy", "ports"),
    [
        (["https://github.com/"], "", (53, 80, 443)),
        (["http://h.test:8081/", "ssh://git.test/"], "", (22, 53, 80, 443, 8081)),
        (["git+ssh://git.test"], "http://p.test:3128", (22, 53, 80, 443, 3128)),
        (["github:NixOS", "https://h.test:port/"], "", (53, 80, 443)),
    ],
)
def test_ports_of_uris(uris, proxy, ports):
    machine = Machine({"https_proxy": proxy, "NIX_REMOTE": "daemon"})
    assert machine.evaluation([], Path("/own"), uris).tcp_ports == ports


def test_protocols_of_uris():
    assert protocols(["git+ssh://git.test", "https://h.test", "github:a"]) == ("https", "ssh")


def test_what_evaluation_may_write():
    """With a daemon only its home; otherwise the store and its database are writable."""
    home = Path("/own")
    of_daemon = Machine(for_nix({"NIX_REMOTE": "daemon?trusted=1"})).evaluation([], home, ())
    assert set(of_daemon.writable) == {home, Path("/dev/null")}
    assert of_daemon.sockets == ("unix",)
    alone = Machine(for_nix({"NIX_REMOTE": "/srv/store"})).evaluation([], home, ())
    assert set(alone.writable) == {home, Path("/dev/null"), Path("/srv/store")}
    assert alone.sockets == ()


@pytest.mark.parametrize("remote", ["/", "//", "/usr/..", "local?root=//", "local:////"])
def test_store_at_the_root(remote):
    """However it is written: the machine's own store is written to, and not the machine."""
    machine = Machine(for_nix({"NIX_REMOTE": remote}))
    writable = machine.evaluation([], Path("/own"), ()).writable
    assert set(writable) == {Path("/own"), Path("/dev/null"), Path("/nix")}


@pytest.mark.parametrize(
    ("remote", "program", "replaceable"),
    [
        ("/srv/it", "/srv/it/nix/store/x/bin/nix", True),
        ("/srv/it", "/usr/bin/nix", False),
        ("daemon", "/nix/store/x/bin/nix", False),
    ],
)
def test_programs_in_a_store_that_evaluation_writes_to(remote, program, replaceable):
    assert Machine(for_nix({"NIX_REMOTE": remote})).can_be_replaced([program]) is replaceable


def test_path_that_holds_the_home():
    """A directory of programs may be read, but not all that is the service's."""
    machine = Machine({"PATH": "/usr/bin:/srv/it:/srv/it/bin:/:bin", "HOME": "/srv/it/home"})
    readable = machine.client(Path("/own"), ()).readable
    assert Path("/srv/it/bin") in readable
    assert not {Path("/"), Path("/srv/it"), Path("bin"), Path("/srv/it/home")} & set(readable)

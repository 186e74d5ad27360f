"""Machines: a Debian booted by a real systemd, configured as NixOS would do it.

The root is made once by scripts/roots/systemd (minutes); each machine is an overlay on it.
"""

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.nixos_module import ROOT, evaluate, nix_text
from support.systemd import nspawn
from support.systemd.machine import Machine
from support.systemd.nodes import INSTALLED, furnish
from support.systemd.started import COMMON

NETWORK = "127.0.1.{}"
"""Machines share one loopback interface, and may use all of 127.0.0.0/8."""


@pytest.fixture(scope="session")
def systemd_root():
    """A Debian trixie with systemd, nix-daemon and the Python packages of the server."""
    if reason := nspawn.why_not():
        pytest.skip(reason)
    made = subprocess.run(
        [ROOT / "scripts/roots/systemd"], check=False, stdout=subprocess.PIPE, text=True
    )
    assert made.returncode == 0, "scripts/roots/systemd fails, see above"
    return Path(made.stdout.strip())


@pytest.fixture
def machines(systemd_root, tmp_path):
    """``machines({"registry": [MODULE, …]})`` gives Machines by name, powered off at the end."""
    with ExitStack() as stack:
        yield lambda nodes: _make(systemd_root, tmp_path, nodes, stack)


@pytest.fixture
def registry(machines):
    """``registry(TEXT, …)``: a machine with these options of services.nixery, started."""

    def make(text="", *modules):
        own = f"{{ lib, ... }}: {{ services.nixery = {{ {text} }}; }}"
        machine = machines({"registry": [COMMON, own, *modules]})["registry"]
        machine.start()
        return machine

    return make


def _make(root, place, nodes, stack):
    hosts = {name: NETWORK.format(n) for n, name in enumerate(nodes, start=1)}
    made = {}

    def network():
        """The first machine's network is everybody's; so it is the first to boot."""
        first = next(iter(made.values()))
        return first.booted

    for name, modules in nodes.items():
        address = nix_text(hosts[name])
        configuration = evaluate(
            *modules,
            f"{{ lib, ... }}: {{ services.nixery.listenAddress = lib.mkForce {address}; }}",
            installed=INSTALLED,
        )
        own = place / name
        upper = own / "upper"
        upper.mkdir(parents=True)
        # The root directory of a machine is readable by its users, unlike a test's directory.
        os.chmod(upper, 0o755)  # noqa: PTH101
        furnish(upper, root, configuration, name, hosts)

        def boot(name=name, own=own, upper=upper, first=not made):
            shared = None if first else network()
            return nspawn.boot(root, upper, own, hostname=name, network_of=shared)

        made[name] = Machine(name, boot)
        stack.callback(made[name].shutdown)
    return made

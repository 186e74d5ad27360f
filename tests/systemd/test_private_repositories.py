"""Packages out of repositories that not everybody may read, on a booted systemd."""

from pathlib import Path

import pytest
import trustme
from support import git_https
from support.git_https import PASSWORD, USER
from support.nixos_module import nix_text
from support.systemd.nodes import SET
from support.systemd.started import NOT_AT_BOOT, URL, manifest, serving

pytestmark = [pytest.mark.nix, pytest.mark.full]

MAKE_REPOSITORY = (
    f"cp --recursive {SET} /srv/packages",
    "git -C /srv/packages init --quiet --initial-branch=main",
    "git -C /srv/packages add --all",
    "git -C /srv/packages -c user.name=a -c user.email=a@b commit --quiet --message=packages",
    "git clone --quiet --bare /srv/packages /srv/packages.git",
)


def check_every_tag(machine):
    assert manifest(machine, "hello", tag="main") == manifest(machine, "hello")
    revision = machine.succeed("git -C /srv/packages.git rev-parse HEAD").strip()
    assert manifest(machine, "hello", tag=revision) == manifest(machine, "hello")


def test_over_ssh(registry):
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
        *MAKE_REPOSITORY,
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
    check_every_tag(machine)
    machine.fail("runuser -u nobody -- cat /run/credentials/nixery.service/ssh-key")


def test_over_https(registry):
    """From a server on this machine, whose certificate an authority of ours has signed."""
    authority = trustme.CA()
    certificate = authority.issue_cert("registry").private_key_and_cert_chain_pem
    files = {
        "forge.py": {"text": Path(git_https.__file__).read_text()},
        "forge.pem": {"text": certificate.bytes().decode()},
        "authority.pem": {"text": authority.cert_pem.bytes().decode()},
    }
    machine = registry(
        """
        source.path = lib.mkForce null;
        source.repo = "https://registry/packages.git";
        source.netrcFile = "/etc/secret/netrc";
        environment.GIT_SSL_CAINFO = "/etc/authority.pem";
        """,
        NOT_AT_BOOT,
        f"{{ environment.etc = {nix_text(files)}; }}",
    )
    netrc = f"machine registry login {USER} password"
    machine.succeed(
        "install --directory --mode=700 /etc/secret",
        *MAKE_REPOSITORY,
        "systemd-run --quiet /usr/bin/python3 /etc/forge.py /srv /etc/forge.pem 443",
        f"umask 077; echo {netrc} wrong > /etc/secret/netrc",
    )
    machine.wait_for_open_port(443, "registry")
    machine.succeed("systemctl start nixery.service")
    serving(machine)
    machine.fail(f"curl -sS --fail {URL}/v2/hello/manifests/main")
    # Git prompts after a wrong password, and gets no answer.
    assert "could not read Username" in machine.journal("nixery.service")

    machine.succeed(
        f"echo {netrc} {PASSWORD} > /etc/secret/netrc", "systemctl restart nixery.service"
    )
    serving(machine)
    check_every_tag(machine)
    for file in ("/run/credentials/nixery.service/netrc", "/var/cache/nixery/.netrc"):
        machine.fail(f"runuser -u nobody -- cat {file}")
    assert PASSWORD not in machine.journal("nixery.service")

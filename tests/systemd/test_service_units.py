"""The rendered units, checked by systemd's own tools; nothing is booted."""

import re
import subprocess

import pytest
from support.nixos_module import evaluate
from support.systemd.nodes import INSTALLED

pytestmark = pytest.mark.nix

BASE = "services.nixery.enable = true; services.nixery.source.path = ''/srv/packages'';"
CONFIGURATIONS = {
    "default": "",
    "low-port": "services.nixery.port = 80;",
    "elsewhere": 'services.nixery.storage.path = "/srv/images";',
    "secrets": 'services.nixery.source = { sshKeyFile = "/run/key"; netrcFile = "/run/netrc"; };',
    "nginx": 'services.nixery.nginx.virtualHost = "example.org";',
    "upkeep": "services.nixery = "
    '{ gc = { enable = true; olderThan = "30d"; }; verify.enable = true; };',
}
LARGEST_EXPOSURE = 1.5


@pytest.fixture
def analyze(systemd_root, tmp_path):
    """The root's systemd-analyze, on files of ``tmp_path``; returns status and output."""

    def run(*arguments):
        # In a separate mount namespace: the root is shared, and is not changed.
        script = (
            f"mount -t tmpfs tmpfs {systemd_root}/mnt && mkdir -p {systemd_root}/mnt/bin"
            f" && cp {tmp_path}/*.* {systemd_root}/mnt"
            f" && ln -s /usr/bin/true {systemd_root}/mnt/bin/nixery"
            f' && exec chroot {systemd_root} systemd-analyze --no-pager "$@"'
        )
        done = subprocess.run(
            [
                *("unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh"),
                *arguments,
            ],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    return run


@pytest.fixture(params=CONFIGURATIONS)
def units(request, tmp_path):
    """The names of the rendered units of a configuration, as files of ``tmp_path``."""
    installed = {**INSTALLED, "nixery": "/mnt"}
    found = evaluate(f"{{ {BASE} {CONFIGURATIONS[request.param]} }}", installed=installed)
    for name, text in found["units"].items():
        (tmp_path / name).write_text(text)
    return list(found["units"])


def test_systemd_understands_every_line(units, analyze):
    status, said = analyze("verify", "--man=no", *(f"/mnt/{name}" for name in units))
    # Units that the root does not have are not checked here.
    ours = [line for line in said.splitlines() if "nixery" in line]
    assert ours == []
    assert status == 0, said


def test_the_exposure_is_small(units, analyze):
    for name in units:
        if name.endswith(".service"):
            _, said = analyze("security", "--offline=true", f"/mnt/{name}")
            score = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
            assert score, said
            assert float(score[1]) <= LARGEST_EXPOSURE, said


def test_a_line_that_systemd_does_not_know_is_noticed(tmp_path, analyze):
    (tmp_path / "nixery.service").write_text("[Service]\nExecStart=/mnt/bin/nixery\nTiep=exec\n")
    assert "Tiep" in analyze("verify", "--man=no", "/mnt/nixery.service")[1]

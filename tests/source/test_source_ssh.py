"""A git repository over ssh: the server's own keys and its GIT_SSH_COMMAND are used."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from support.git_repository import Repository

from nixery.errors import SourceUnavailable
from nixery.source.factory import make_source

pytestmark = [pytest.mark.anyio, pytest.mark.machine]

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])


@pytest.fixture
def ssh(tmp_path):
    """An ssh command that talks to a private server through a pipe, without a port."""
    if SSHD is None:
        pytest.skip("needs openssh-server")
    if os.geteuid() != 0:
        pytest.skip("needs root: sshd changes users")
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd's unprivileged half lives
    for key in ("host", "client"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / key], check=True
        )
    server = tmp_path / "sshd_config"
    server.write_text(
        f"HostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/client.pub\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPidFile none\n"
    )
    host_key = (tmp_path / "host.pub").read_text()
    (tmp_path / "known_hosts").write_text(f"git.test {host_key}")
    return (
        f"ssh -F none -o 'ProxyCommand={SSHD} -i -f {server}' -o IdentitiesOnly=yes "
        f"-o UserKnownHostsFile={tmp_path}/known_hosts"
    )


@pytest.mark.parametrize("form", ["ssh://root@git.test{}", "root@git.test:{}"])
async def test_over_ssh(ssh, tmp_path, form):
    """Both spellings; the user's name is in no address that is shown."""
    repository = Repository(tmp_path / "repository")
    first = repository.commit("1")
    repository.commit("2")
    environ = os.environ | {"GIT_SSH_COMMAND": f"{ssh} -i {tmp_path}/client"}
    source = make_source(
        repo=form.format(repository.path),
        state_dir=tmp_path / "state",
        request_timeout=60,
        resolve_ttl=0,
        clock=time.monotonic,
        environ=environ,
    )
    for tag in ("latest", first):
        resolved = await source.resolve(tag)
        assert ((await source.read(resolved)).path / "default.nix").exists()
        assert resolved.url == f"ssh://git.test{repository.path}"


@pytest.mark.parametrize("missing", ["key", "known host"])
async def test_ssh_never_prompts(ssh, tmp_path, missing):
    """Without a key, or with an unknown host, the answer is 503 at once."""
    repository = Repository(tmp_path / "repository")
    repository.commit("1")
    if missing == "key":
        command = f"{ssh} -i {tmp_path}/no-such-key"
    else:
        (tmp_path / "known_hosts").write_text("")
        command = f"{ssh} -i {tmp_path}/client"
    source = make_source(
        repo=f"ssh://root@git.test{repository.path}",
        state_dir=tmp_path / "state",
        request_timeout=60,
        resolve_ttl=0,
        clock=time.monotonic,
        environ=os.environ | {"GIT_SSH_COMMAND": command},
    )
    with pytest.raises(SourceUnavailable, match=r"ssh://git\.test") as caught:
        await source.resolve("main")
    assert "root@" not in caught.value.message

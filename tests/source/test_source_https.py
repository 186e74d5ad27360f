"""A private git repository over HTTPS: readable only with the password."""

import os
import time

import pytest
import trustme
from support.git_https import PASSWORD, USER, forge
from support.git_repository import Repository

from nixery.errors import SourceUnavailable
from nixery.source.factory import make_source

pytestmark = [pytest.mark.anyio, pytest.mark.machine]


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repositories/set")


@pytest.fixture
def site(tmp_path, repository):
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    with forge(repository.path.parent, tmp_path / "server.pem") as site:
        yield site


@pytest.fixture
def source(tmp_path, site):
    """``source(login="user:password@", netrc=TEXT)``: of the repository, as a service has it."""

    def make(login="", netrc=None):
        home = tmp_path / "home"
        home.mkdir()
        if netrc is not None:
            # As the module does it: a link to what only the service can read.
            (tmp_path / "credential").write_text(netrc)
            (home / ".netrc").symlink_to(tmp_path / "credential")
        return make_source(
            repo=f"https://{login}{site}/set/.git",
            state_dir=tmp_path / "state",
            request_timeout=60,
            resolve_ttl=0,
            clock=time.monotonic,
            environ=os.environ
            | {"HOME": str(home), "GIT_SSL_CAINFO": str(tmp_path / "authority.pem")},
        )

    return make


@pytest.mark.parametrize(
    "given",
    [
        {"netrc": f"machine localhost login {USER} password {PASSWORD}\n"},
        {
            "netrc": f"machine localhost login {USER} password {PASSWORD}\n",
            "login": f"{USER}@",
        },
        {"login": f"{USER}:{PASSWORD}@"},
    ],
    ids=["netrc", "netrc and a name", "address"],
)
async def test_with_the_password(source, site, repository, given):
    first = repository.commit("1")
    repository.commit("2")
    private = source(**given)
    for tag, text in (("latest", "2"), ("main", "2"), (first, "1")):
        resolved = await private.resolve(tag)
        assert ((await private.read(resolved)).path / "default.nix").read_text() == text
        assert resolved.url == f"https://{site}/set/.git"


@pytest.mark.parametrize(
    "netrc",
    [
        None,
        f"machine localhost login {USER} password wrong-{PASSWORD}\n",
        f"machine other.test login {USER} password {PASSWORD}\n",
    ],
    ids=["no file", "wrong password", "of another host"],
)
async def test_without_it(source, repository, netrc):
    """The answer is 503 at once, without a prompt, and contains neither name nor password."""
    repository.commit("1")
    with pytest.raises(SourceUnavailable, match="localhost") as caught:
        await source(netrc=netrc).resolve("main")
    assert USER not in caught.value.message
    assert PASSWORD not in caught.value.message

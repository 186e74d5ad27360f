"""Binary caches that do not answer, and a server that does not build, with a real Nix."""

import pytest
from support.tiny_set import request

from nixery.errors import BuildFailed
from nixery.nix import Evaluation, Nix

pytestmark = [pytest.mark.anyio, pytest.mark.nix]

# Nothing listens on port 1.
UNREACHABLE = "substituters = http://127.0.0.1:1\ndownload-attempts = 1\n"


@pytest.fixture
def realise(nix_environment, tiny_source, salt, tmp_path):
    async def realise(name, configuration):
        environment = {**nix_environment, "NIX_CONFIG": configuration}
        nix = Nix(environment=environment, evaluation=Evaluation(config={"salt": salt}))
        packages = await nix.evaluate(tiny_source, request(name))
        with pytest.raises(BuildFailed) as caught:
            await nix.realise(packages, tmp_path / "root")
        return caught.value.message

    return realise


async def test_no_cache_has_it_and_nothing_is_built(realise):
    message = await realise("hello", "substituters =\nmax-jobs = 0\n")
    assert message.endswith("is in no binary cache, and this server does not build (max-jobs is 0)")


async def test_the_cache_that_did_not_answer_comes_first(realise):
    message = await realise("failing", UNREACHABLE)
    assert message.startswith("127.0.0.1:1 did not answer, so ")
    assert " was to be built from source: failing failed to build: " in message

"""Which manifest format a client gets, by what real clients send."""

import random

import pytest

from nixery.http.headers import negotiate
from nixery.oci import Format

OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

SKOPEO = [
    OCI,
    DOCKER,
    SCHEMA_1,
    "application/vnd.docker.distribution.manifest.v1+json",
    LIST,
    INDEX,
]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], Format.OCI, id="no Accept"),
        pytest.param([""], Format.OCI, id="empty"),
        pytest.param(["*/*"], Format.OCI, id="curl"),
        pytest.param(["application/*"], Format.OCI, id="application"),
        pytest.param(SKOPEO, Format.OCI, id="skopeo: six lines"),
        pytest.param([f"{DOCKER}, {LIST}, {OCI}, {INDEX}, */*"], Format.OCI, id="containerd"),
        pytest.param([OCI], Format.OCI, id="crane, a child by digest"),
        pytest.param([DOCKER], Format.DOCKER, id="Docker schema 2 only"),
        pytest.param([f"{DOCKER},{LIST},{SCHEMA_1}"], Format.DOCKER, id="before OCI"),
        pytest.param([DOCKER, INDEX], Format.DOCKER, id="an OCI index is no manifest"),
        pytest.param([LIST], Format.DOCKER, id="a list only"),
        pytest.param([SCHEMA_1], Format.DOCKER, id="schema 1 only"),
        pytest.param(["application/json"], Format.DOCKER, id="neither"),
        pytest.param([OCI.upper()], Format.OCI, id="case"),
        pytest.param([f"{OCI}; charset=utf-8"], Format.OCI, id="parameters"),
        pytest.param([f"{OCI};q=0.1, {DOCKER};q=1"], Format.OCI, id="a low quality is taken"),
        pytest.param([f"{OCI};q=0, {DOCKER}"], Format.DOCKER, id="q=0"),
        pytest.param([f"{OCI} ; Q = 0.000 , */*"], Format.DOCKER, id="q=0.000 with spaces"),
        pytest.param(["*/*;q=0", OCI], Format.OCI, id="nothing but OCI"),
        pytest.param(["application/*;q=0, */*", DOCKER], Format.DOCKER, id="the family is refused"),
        pytest.param([f"{OCI};q=0", OCI], Format.OCI, id="taken after all"),
        pytest.param([OCI, f"{OCI};q=0"], Format.OCI, id="the same in another order"),
        pytest.param([f"{OCI};q=0.001"], Format.OCI, id="the least quality"),
        pytest.param([f"{OCI};q=rubbish"], Format.OCI, id="no quality at all"),
        pytest.param([",,;q=0,", DOCKER], Format.DOCKER, id="empty items"),
    ],
)
def test_format(lines, expected):
    """OCI where the client takes it, else Docker schema 2."""
    assert negotiate(lines) is expected


def test_order_is_irrelevant():
    """Docker sends its types in random order."""
    lines = [*SKOPEO, f"{DOCKER};q=0.5"]
    for seed in range(50):
        shuffled = random.Random(seed).sample(lines, len(lines))
        assert negotiate(shuffled) is Format.OCI
        assert negotiate([", ".join(shuffled)]) is Format.OCI

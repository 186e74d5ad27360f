"""Attributes with names that neither an image name nor JSON can contain: others are found."""

import pytest

pytestmark = pytest.mark.nix

ODD = [
    *(b"a\xffb", b"\xed\xa0\x80", "\u00e9".encode(), b"with space", b"new\\nline", b'q\\"uote'),
    b"n" * 2_000_000,
]


@pytest.fixture
def served(package_set, serve_set):
    directory = package_set("let odd = import ./odd.nix tiny; in odd // { inner = odd; }")
    odd = b"".join(b'"%s" = 1; ' % name for name in ODD)
    (directory / "odd.nix").write_bytes(b"tiny: { %s good-one = tiny.hello; }" % odd)
    with serve_set(directory) as served:
        yield served


@pytest.mark.parametrize("level", ["", "inner."])
def test_others_are_found(served, level):
    assert served.manifest(f"{level}good-one")
    missing = served.get(f"/v2/{level}goof-one/manifests/latest")
    assert missing.status_code == 404
    assert f"did you mean '{level}good-one'?" in missing.text


def test_others_of_the_same_image(served):
    refused = served.get("/v2/hello/goof-one/manifests/latest")
    assert refused.status_code == 404
    assert "'goof-one' does not exist" in refused.text

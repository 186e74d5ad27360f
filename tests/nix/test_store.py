from pathlib import Path

import pytest

from nixery.closure import Closure, PathInfo
from nixery.errors import ConfigurationError, NixeryError
from nixery.nix.store import parse_closure, store_root

BASH = "/nix/store/7a9h1fdwqzjy3rjbwqjyxhg1zqpk2ikn-bash-5.2"
HELLO = "/nix/store/0dwk4m4zxkm4dmk1z9xmx0kj1fsq8mqd-hello-2.12.1"

# As Nix prints them, with some of the fields that nothing here reads.
NIX_2_8 = f"""[
  {{"path": "{HELLO}", "narHash": "sha256-x", "narSize": 1000, "valid": true,
    "references": ["{HELLO}", "{BASH}"], "registrationTime": 1}},
  {{"path": "{BASH}", "narHash": "sha256-y", "narSize": 1984136, "valid": true,
    "references": []}}]"""
NIX_2_26 = f"""{{
  "{HELLO}": {{"ca": null, "narHash": "sha256-x", "narSize": 1000, "references": ["{HELLO}",
    "{BASH}"], "signatures": [], "ultimate": true}},
  "{BASH}": {{"ca": null, "narHash": "sha256-y", "narSize": 1984136, "references": []}}}}"""
NIX_2_34_FORMAT_2 = f"""{{"version": 2, "storeDir": "/nix/store", "info": {{
  "{Path(HELLO).name}": {{"narSize": 1000, "references": ["{Path(HELLO).name}",
    "{Path(BASH).name}"]}},
  "{Path(BASH).name}": {{"narSize": 1984136, "references": []}}}}}}"""


@pytest.mark.parametrize(
    "text", [NIX_2_8, NIX_2_26, NIX_2_34_FORMAT_2], ids=["2.8", "2.26, 2.34", "2.34 format 2"]
)
def test_every_format_gives_the_same_closure(text):
    """Sorted, own sizes, and no path refers to itself."""
    assert parse_closure(text) == Closure(
        (PathInfo(HELLO, 1000, (BASH,)), PathInfo(BASH, 1984136, ()))
    )


@pytest.mark.parametrize(
    "text", [f'[{{"path": "{BASH}", "valid": false}}]', f'{{"{BASH}": null}}'], ids=["2.8", "2.26"]
)
def test_path_that_is_not_valid(text):
    with pytest.raises(NixeryError, match=f"{BASH} is no longer in the store") as caught:
        parse_closure(text)
    assert caught.value.cause == "not_valid"


@pytest.mark.parametrize("text", ["", "[", "7", '{"a": {}}', "[[]]"])
def test_unknown_format(text):
    """A future Nix causes an error that names the problem, not a traceback."""
    with pytest.raises(NixeryError, match="cannot be parsed"):
        parse_closure(text)


@pytest.mark.parametrize(
    ("nix_remote", "root"),
    [
        ("", "/"),
        ("auto", "/"),
        ("daemon", "/"),
        ("local", "/"),
        ("unix:///run/nix.sock", "/"),
        ("/srv/chroot", "/srv/chroot"),
        ("local?root=/srv/chroot", "/srv/chroot"),
        ("local?root=/srv/with%20space&read-only=true", "/srv/with space"),
        ("local:///srv/chroot", "/srv/chroot"),
        ("local:///srv/chroot?require-sigs=false", "/srv/chroot"),
        ("unix:///run/nix.sock?root=/srv/chroot", "/srv/chroot"),
    ],
)
def test_store_root(nix_remote, root):
    assert store_root(nix_remote) == Path(root)


def test_store_root_relative():
    """Nix takes a directory by its slash."""
    assert store_root("./chroot") == Path.cwd() / "chroot"


@pytest.mark.parametrize("nix_remote", ["ssh://host", "https://cache.example", "s3://x", "dummy"])
def test_store_on_another_machine(nix_remote):
    with pytest.raises(ConfigurationError, match="must be on this machine"):
        store_root(nix_remote)

"""Package sets of all forms, evaluated by a real Nix: what they may read and download."""

import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from support.tiny_set import request, source_of

from nixery.errors import BuildFailed, Denied, EvaluationFailed, PackageNotFound
from nixery.image_name import Architecture
from nixery.nix import Evaluation, Nix
from nixery.source import SourceTree

pytestmark = [pytest.mark.anyio, pytest.mark.nix]


def set_in(directory: Path, text: str):
    """A separate package set, as a source."""
    (directory / "default.nix").write_text(text)
    return source_of(directory)


SHAPES = {
    "an attribute set": "import TINY { }",
    "no arguments": "{ }: import TINY { }",
    "only the system": "{ system }: import TINY { inherit system; }",
    "an ellipsis": "{ config, ... }@arguments: import TINY arguments",
    "a plain argument": "arguments: import TINY arguments",
    "overlays": "{ overlays }: assert overlays == [ ]; import TINY { }",
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_shapes_of_sets(nix_environment, tiny, tmp_path, shape):
    """Only the arguments of the set's function are passed."""
    wrapped = set_in(tmp_path, SHAPES[shape].replace("TINY", str(tiny)))
    nix = Nix(environment=nix_environment, evaluation=Evaluation(allowed_paths=(tiny,)))
    (package,) = await nix.evaluate(wrapped, request("hello"))
    assert package.paths[0].endswith("-hello-2.12.1")


async def test_set_for_one_system(nix_environment, tiny, tmp_path):
    """Where the set has no system argument, an image for another system would be wrong."""
    wrapped = set_in(tmp_path, f"import {tiny} {{ }}")
    nix = Nix(environment=nix_environment, evaluation=Evaluation(allowed_paths=(tiny,)))
    with pytest.raises(Denied, match="not available for aarch64-linux"):
        await nix.evaluate(wrapped, request("hello", architecture=Architecture.ARM64))


@pytest.mark.parametrize("text", ['throw "no set"', "{ system ? }:", "import ./missing.nix", "7"])
async def test_set_that_is_broken_as_a_whole(nix, tmp_path, text):
    """The message blames the set, not the first name."""
    with pytest.raises((EvaluationFailed, PackageNotFound)) as caught:
        await nix.evaluate(set_in(tmp_path, text), request("git", "hello"))
    if text != "7":
        assert caught.value.message.startswith("the package set cannot be evaluated: ")


async def test_set_behind_a_link(nix, tiny, tmp_path):
    """Restricted evaluation refuses links, so they are followed before."""
    link = tmp_path / "nixpkgs"
    link.symlink_to(tiny)
    assert await nix.evaluate(source_of(link), request("hello"))


async def test_set_inside_a_larger_tree(nix, tmp_path):
    """Files around the set in the source's tree are readable too."""
    (tmp_path / "version.nix").write_text('"1.0"')
    (tmp_path / "nix").mkdir()
    inner = tmp_path / "nix/set.nix"
    inner.write_text('assert import ../version.nix == "1.0"; { a = throw "reached"; }')
    source = SourceTree(path=inner, root=tmp_path)
    with pytest.raises(EvaluationFailed, match="reached"):
        await nix.evaluate(source, request("a"))


FLAKE = """{
  inputs.it = { url = "path:OUTSIDE"; flake = false; };
  outputs = { it, ... }: { text = builtins.readFile "${it}/file"; };
}"""


@pytest.mark.parametrize(
    "text",
    [
        '(builtins.getFlake "path:${toString ./.}").text',
        'builtins.readFile "${builtins.fetchTree { type = "path"; path = "OUTSIDE"; }}/file"',
    ],
    ids=["getFlake", "fetchTree"],
)
async def test_flakes_do_not_reach_outside(nix, tmp_path, text):
    """Nix restricts neither the inputs of a flake nor, in 2.8, paths that fetchTree takes."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("what nobody should see")
    directory = tmp_path / "set"
    directory.mkdir()
    (directory / "flake.nix").write_text(FLAKE.replace("OUTSIDE", str(outside)))
    text = f"{{ a = throw ({text}); }}".replace("OUTSIDE", str(outside))
    with pytest.raises(EvaluationFailed) as caught:
        await nix.evaluate(set_in(directory, text), request("a"))
    told = "\n".join((caught.value.message, *caught.value.log))
    assert "nobody" not in told


async def test_allowed_paths(nix_environment, tiny_source):
    nix = Nix(
        environment=nix_environment, evaluation=Evaluation(allowed_paths=(Path("/etc/hostname"),))
    )
    assert await nix.evaluate(tiny_source, request("reads-outside"))


async def test_operators_channels_are_not_readable(nix_environment, tiny_source):
    """NIX_PATH would widen the restricted evaluation."""
    nix = Nix(environment={**nix_environment, "NIX_PATH": "etc=/etc"})
    with pytest.raises(EvaluationFailed, match="restricted mode"):
        await nix.evaluate(tiny_source, request("reads-outside"))


async def test_allowed_import_from_derivation(nix_environment, tiny_source):
    nix = Nix(environment=nix_environment, evaluation=Evaluation(allow_ifd=True, confined=False))
    (package,) = await nix.evaluate(tiny_source, request("from-derivation"))
    assert package.paths[0].endswith("-from-derivation-7.0")


async def test_failing_import_from_derivation(nix_environment, tiny_source):
    """It is a build, with a build's log."""
    nix = Nix(environment=nix_environment, evaluation=Evaluation(allow_ifd=True, confined=False))
    with pytest.raises(BuildFailed, match=r"failing-1\.0 failed to build: this package cannot"):
        await nix.evaluate(tiny_source, request("from-failing"))


@pytest.fixture
def pinned(tiny, tmp_path):
    """A set that pins another one by fetchTarball, and the address that serves it."""
    served = tmp_path / "served"
    served.mkdir()
    with tarfile.open(served / "tiny.tar.gz", "w:gz") as archive:
        archive.add(tiny, "tiny")
    handler = partial(SimpleHTTPRequestHandler, directory=str(served))
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        directory = tmp_path / "set"
        directory.mkdir()
        text = f'arguments: import (fetchTarball "{url}tiny.tar.gz") arguments'
        yield set_in(directory, text), url
        server.shutdown()
        thread.join()


async def test_pinned_set_is_refused(nix, pinned):
    """No network by default."""
    source, _ = pinned
    with pytest.raises(EvaluationFailed, match="NIXERY_ALLOWED_URIS") as caught:
        await nix.evaluate(source, request("hello"))
    assert caught.value.cause == "restricted"


async def test_pinned_set_is_allowed(nix_environment, pinned):
    source, url = pinned
    nix = Nix(
        environment=nix_environment,
        evaluation=Evaluation(allowed_uris=("http://other.example/", url)),
    )
    (package,) = await nix.evaluate(source, request("hello"))
    assert package.paths[0].endswith("-hello-2.12.1")

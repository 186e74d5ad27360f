"""Names and package sets, evaluated by a real Nix."""

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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("git", ["git-2.47.0"]),
        ("bashInteractive", ["bash-5.2"]),
        ("bashinteractive", ["bash-5.2"]),
        ("r", ["R-1.0"]),
        ("1password", ["1password-2.30"]),
        ("xorg.xev", ["xev-1.0"]),
        ("haskellpackages.stylish-haskell", ["stylish-haskell-1.0"]),
        ("curl", ["curl-8.11.0-bin"]),
        ("jq", ["jq-1.7.1-bin"]),
        ("perl", ["perl-5.40.0"]),
        ("openssl.dev", ["openssl-3.3.2-dev"]),
        ("openssl.man", ["openssl-3.3.2-man"]),
    ],
)
async def test_names(nix, tiny_source, name, expected):
    """Case, digits and dots are repaired; outputs are those that nixpkgs installs, without man."""
    (package,) = await nix.evaluate(tiny_source, request(name))
    assert package.name == name
    assert [path[44:] for path in package.paths] == expected
    assert package.drv_path.endswith(".drv")


async def test_order_is_the_requests(nix, tiny_source):
    names = ("nano", "git", "bashInteractive", "hello")
    packages = await nix.evaluate(tiny_source, request(*names))
    assert tuple(package.name for package in packages) == names


FAILURES = [
    (
        "gti",
        PackageNotFound,
        "not_found",
        "in this package set; did you mean 'git'?",
    ),
    ("xorg.xef", PackageNotFound, "not_found", "did you mean 'xorg.xev'?"),
    ("1passwort", PackageNotFound, "not_found", "did you mean '1password'?"),
    ("hello.nothing.at-all", PackageNotFound, "not_found", "'hello.nothing.at-all' does not exist"),
    ("astring.x", PackageNotFound, "not_found", "'astring.x' does not exist"),
    ("lib", Denied, "not_a_package", "not a package: it is an attribute set"),
    ("afunction", Denied, "not_a_package", "not a package: it is a function"),
    ("lib.version", Denied, "not_a_package", "not a package: it is a string"),
    ("unfree", Denied, "unfree", "it has an unfree license"),
    ("broken", Denied, "broken", "it is marked as broken"),
    ("insecure", Denied, "insecure", "it has known vulnerabilities"),
    ("foreign", Denied, "unsupported", "it is not available for x86_64-linux"),
    ("needs-unfree", Denied, "unfree", "unfree-1.0"),
    ("removed", PackageNotFound, "removed", "has been dropped since it was unmaintained"),
    ("asserting", EvaluationFailed, "evaluation", "'asserting' cannot be evaluated"),
    ("aborts", EvaluationFailed, "evaluation", "this attribute aborts"),
    ("mistyped", EvaluationFailed, "evaluation", "cannot coerce an integer to a string"),
    ("endless", EvaluationFailed, "recursion", "stack overflow"),
    ("reads-outside", EvaluationFailed, "restricted", "NIXERY_ALLOWED_PATHS"),
    ("from-derivation", EvaluationFailed, "restricted", "NIXERY_ALLOW_IFD"),
]


@pytest.mark.parametrize(
    ("name", "kind", "cause", "text"), FAILURES, ids=[name for name, *_ in FAILURES]
)
async def test_names_that_cannot_be_had(nix, tiny_source, *, name, kind, cause, text):
    """Each with its own cause, also if it ends the evaluation of all names."""
    with pytest.raises(kind) as caught:
        await nix.evaluate(tiny_source, request("bashInteractive", name, "hello"))
    assert caught.value.cause == cause
    assert text in caught.value.message
    assert "\n" not in caught.value.message
    assert name in caught.value.message


async def test_message_of_nix_is_in_the_detail(nix, tiny_source):
    """The advice of nixpkgs is in the details."""
    with pytest.raises(Denied) as caught:
        await nix.evaluate(tiny_source, request("unfree"))
    assert caught.value.log[-1] == "a) There are ways to allow it."


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("unfree", "allowUnfree"),
        ("needs-unfree", "allowUnfree"),
        ("broken", "allowBroken"),
        ("insecure", "allowInsecure"),
        ("foreign", "allowUnsupportedSystem"),
    ],
)
async def test_configuration_allows(nix_environment, tiny_source, name, setting):
    """NIXERY_NIXPKGS_CONFIG and NIXPKGS_ALLOW_*; insecure becomes nixpkgs' predicate."""
    nix = Nix(environment=nix_environment, evaluation=Evaluation(config={setting: True}))
    (package,) = await nix.evaluate(tiny_source, request(name))
    assert package.outputs


async def test_reason_is_not_one_that_is_allowed(nix_environment, tmp_path):
    """A package that is allowed to be unfree may be refused for being broken."""
    both = set_in(
        tmp_path,
        """{ config, ... }: { it = { type = "derivation"; meta = { unfree = true; broken = true; };
             drvPath = throw "refusing to evaluate"; outPath = ""; }; }""",
    )
    nix = Nix(environment=nix_environment, evaluation=Evaluation(config={"allowUnfree": True}))
    with pytest.raises(Denied) as caught:
        await nix.evaluate(both, request("it"))
    assert caught.value.cause == "broken"


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

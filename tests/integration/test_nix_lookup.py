"""Names of packages, looked up by a real Nix."""

from pathlib import Path

import pytest
from support.tiny_set import request, source_of

from nixery.errors import Denied, EvaluationFailed, PackageNotFound
from nixery.nix import Evaluation, Nix

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


async def test_a_typo_is_found_before_other_packages_are_evaluated(nix, tiny_source):
    """All missing names are reported; the endless one would end the evaluation."""
    with pytest.raises(PackageNotFound) as caught:
        await nix.evaluate(tiny_source, request("endless", "gti", "git", "helo"))
    assert caught.value.message == (
        "packages 'gti' and 'helo' do not exist in this package set; "
        "did you mean 'git' for 'gti', 'hello' for 'helo'?"
    )


async def test_a_name_that_ends_the_evaluation_is_found_by_halving(
    nix_environment, tmp_path, tiny_source
):
    """Not by one evaluation for each of 16 names."""
    log = tmp_path / "log"
    command = tmp_path / "counting"
    command.write_text(f'#!/bin/sh\necho "$1" >>{log}\nexec nixery-prepare-image "$@"\n')
    command.chmod(0o755)
    # Confined, the command could not write its log.
    unconfined = Evaluation(confined=False)
    nix = Nix(environment=nix_environment, evaluation=unconfined, command=str(command))
    names = [*["hello"] * 11, "aborts", *["hello"] * 4]
    with pytest.raises(EvaluationFailed, match="'aborts' cannot be evaluated"):
        await nix.evaluate(tiny_source, request(*names))
    assert len(log.read_text().splitlines()) <= 8


async def test_case(nix, tmp_path):
    """The exact spelling wins, then the first in byte order that is a derivation.

    The message quotes the malformed drvPath.
    """
    package = 'rec { type = "derivation"; drvPath = "%s"; outPath = drvPath; }'
    names = ("LIB", "Lib", "liB", "Tool", "tooL")
    values = ["{ }", 'throw "removed"', *(package % name for name in names[2:])]
    text = "\n".join(f"{name} = {value};" for name, value in zip(names, values, strict=True))
    odd = set_in(tmp_path, f"{{ {text} }}")
    for name, expected in (("lib", "liB"), ("tool", "Tool"), ("tooL", "tooL")):
        with pytest.raises(Denied, match=f'derivation: "{expected}"'):
            await nix.evaluate(odd, request(name))
    with pytest.raises(Denied, match="'LIB' is not a package"):
        await nix.evaluate(odd, request("LIB"))


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

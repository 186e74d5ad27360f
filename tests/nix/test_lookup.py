import json

import pytest

from nixery.closure import Package
from nixery.errors import Denied, EvaluationFailed, PackageNotFound
from nixery.nix.lookup import Refused, read, suggestions, verdict

SYSTEM = "x86_64-linux"
UNFREE = (
    "Package \u2018unrar-6.0\u2019 in /nix/store/x/unrar/default.nix:7 has an unfree license"
    " (\u2018unfree\u2019), refusing to evaluate.\n\na) To temporarily allow unfree packages, …"
)


def test_read():
    """Packages and refusals, in the order of the names."""
    text = json.dumps(
        {
            "packages": [
                {"name": "xorg.xef", "status": "not_found", "level": "xorg"},
                {
                    "name": "curl",
                    "status": "ok",
                    "drvPath": "/nix/store/x-curl.drv",
                    "outputs": [{"name": "bin", "path": "/nix/store/y-curl-bin"}],
                },
                {"name": "lib", "status": "not_a_package", "type": "set"},
            ],
            "levels": {"xorg": ["recurseForDerivations", "xev"]},
        }
    )
    assert read(text.encode()) == (
        Refused("xorg.xef", "not_found", "", "xorg", ("recurseForDerivations", "xev")),
        Package("curl", "/nix/store/x-curl.drv", (("bin", "/nix/store/y-curl-bin"),)),
        Refused("lib", "not_a_package", "set"),
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("unfree", "it has an unfree license"),
        ("broken", "it is marked as broken"),
        ("insecure", "it has known vulnerabilities"),
        ("unsupported", "it is not available for x86_64-linux"),
    ],
)
def test_refused_by_its_own_flags(status, reason):
    """One line of ours; Nix's own text is in the detail."""
    error = verdict(Refused("unrar", status), SYSTEM, UNFREE)
    assert isinstance(error, Denied)
    assert error.message == f"package 'unrar' is refused: {reason}"
    assert error.cause == status
    assert error.log[-1].startswith("a) To temporarily allow")


def test_refused_for_a_dependency():
    """The package's own flags say nothing; the text names the culprit, without its file."""
    error = verdict(Refused("archiver", "failed"), SYSTEM, UNFREE)
    assert isinstance(error, Denied)
    assert error.cause == "unfree"
    assert error.message == (
        "package 'archiver' is refused: Package \u2018unrar-6.0\u2019 has an unfree license"
        " (\u2018unfree\u2019), refusing to evaluate."
    )


def test_not_a_package():
    error = verdict(Refused("lib", "not_a_package", "set"), SYSTEM)
    assert isinstance(error, Denied)
    assert error.message == "'lib' is no package but a set of the package set"


def test_failed():
    error = verdict(Refused("old", "failed"), SYSTEM, "old has been removed\nin 2023")
    assert isinstance(error, EvaluationFailed)
    assert error.message == "package 'old' cannot be evaluated: old has been removed"
    assert error.log == ("old has been removed", "in 2023")


TOP = ("_1password", "bashInteractive", "git", "gitFull", "github-cli", "htop", "libstdc++5", "R")


@pytest.mark.parametrize(
    ("name", "level", "siblings", "expected"),
    [
        ("gti", "", TOP, ("git",)),
        ("1passwort", "", TOP, ("1password",)),
        ("gitful", "", TOP, ("gitfull", "git", "github-cli")),
        ("libstdc", "", TOP, ()),
        ("zzzzzz", "", TOP, ()),
        (
            "python3packages.reqests",
            "python3Packages",
            ("requests", "rich"),
            ("python3packages.requests",),
        ),
        ("a.b.hllo.bin", "a.b", ("hello",), ("a.b.hello",)),
    ],
)
def test_suggestions(name, level, siblings, expected):
    """Only what fits an image name, as one types it."""
    assert suggestions(Refused(name, "not_found", "", level, siblings)) == expected


def test_not_found_message():
    one = Refused("gti", "not_found", "", "", ("git",))
    assert verdict(one, SYSTEM).message == (
        "package 'gti' does not exist in this package set; did you mean 'git'?"
    )
    many = Refused("pythn", "not_found", "", "", ("python2", "python3", "python4"))
    assert verdict(many, SYSTEM).message.endswith("'python4', 'python3' or 'python2'?")
    none = verdict(Refused("qqq", "not_found", "", "", ("git",)), SYSTEM)
    assert isinstance(none, PackageNotFound)
    assert none.message == "package 'qqq' does not exist in this package set"

"""Names that are suggested for one that does not exist."""

import pytest

from nixery.nix.suggestions import replacement, suggestions

TOP = (
    *("_1password", "bashInteractive", "git", "gitFull", "github-cli", "htop", "libstdc++5", "R"),
    *("gnumake", "nodejs", "openssh", "openssl", "iputils", "jdk", "hello", "gitit", "cmake"),
)


@pytest.mark.parametrize(
    ("name", "level", "siblings", "expected"),
    [
        ("gti", "", TOP, ("git", "gitit")),
        ("gitt", "", TOP, ("git", "gitit")),
        ("helo", "", TOP, ("hello",)),
        ("1passwort", "", TOP, ("1password",)),
        ("gitful", "", TOP, ("gitfull", "git", "github-cli")),
        ("libstdc", "", TOP, ()),
        ("zzzzzz", "", TOP, ()),
        ("ssh", "", TOP, ("openssh",)),
        ("node", "", TOP, ("nodejs",)),
        ("make", "", TOP, ("gnumake",)),
        ("java", "", TOP, ("jdk",)),
        ("ping", "", TOP, ("iputils",)),
        ("ping", "", ("pingu",), ("pingu",)),
        ("cli", "", TOP, ("github-cli",)),
        (
            "python3packages.reqests",
            "python3Packages",
            ("requests", "rich"),
            ("python3packages.requests",),
        ),
        ("perlPackages.Jsn", "perlPackages", ("JSON",), ("perlpackages.json",)),
        ("a.b.hllo.bin", "a.b", ("hello",), ("a.b.hello",)),
    ],
)
def test_suggestions(name, level, siblings, expected):
    """Only what fits an image name, as one types it."""
    assert suggestions(name, level, siblings) == expected


def test_components_without_dots():
    assert suggestions("python3.11", "python3", ("pkgs",), ("python311",)) == ("python311",)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("'_1password' has been renamed to/replaced by '_1password-cli'", "1password-cli"),
        ("python2 has been removed. Use `python3` instead.", "python3"),
        ("it was removed in favor of 'gnomeExtensions.x'", "gnomeextensions.x"),
        ("it has been removed", ""),
        ("it has been replaced by 'pkgs.a/b'", ""),
    ],
)
def test_the_replacement_of_a_removed_package(text, name):
    assert replacement(text) == name

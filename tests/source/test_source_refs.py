"""Patterns of refs, and the remote's list of refs."""

import pytest

from nixery.errors import ConfigurationError
from nixery.source.refs import AllowedRefs, Ref, is_branch_name, parse_listing

A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.mark.parametrize(
    ("pattern", "name", "allowed"),
    [
        ("refs/heads/*", "refs/heads/main", True),
        ("refs/heads/*", "refs/heads/release/24.05", True),
        ("refs/heads/*", "refs/pull/1/head", False),
        ("refs/heads/*", "refs/remotes/refs/heads/main", False),
        ("refs/heads/main", "refs/heads/main", True),
        ("refs/heads/main", "refs/heads/main2", False),
        ("refs/heads/release-*-x", "refs/heads/release-1-x", True),
        ("refs/heads/release-*-x", "refs/heads/release-x", False),
        ("refs/heads/a*a", "refs/heads/a", False),
        ("refs/heads/a.c", "refs/heads/abc", False),
        ("*", "refs/pull/1/head", True),
    ],
)
def test_patterns(pattern, name, allowed):
    """A star stands for any characters; no other character is special."""
    assert AllowedRefs.parse([pattern]).allows(name) is allowed


@pytest.mark.parametrize(
    "pattern",
    ["main", "heads/*", "HEAD", "-refs/heads/*", "refs/*/*", "refs/heads/..", "+refs/heads/*",
     "refs/heads/*:refs/heads/*", "refs/heads/a b", "", "refs/heads/", "^refs/heads/a",
     "refs/heads/-x", "refs/heads/[a]", "refs/heads/?", "**"],
)  # fmt: skip
def test_no_pattern(pattern):
    """Short names, refspecs, negation and what git would read otherwise are refused."""
    with pytest.raises(ConfigurationError, match="NIXERY_GIT_ALLOWED_REFS"):
        AllowedRefs.parse([pattern])


def test_no_patterns_at_all():
    """Set but empty must not read as the default, nor as everything."""
    with pytest.raises(ConfigurationError, match="empty"):
        AllowedRefs.parse([])


def test_listing():
    """Annotated tags are followed; names may hold any bytes, line separators of Unicode too."""
    listing = parse_listing(
        f"{A}\tHEAD\n{A}\trefs/heads/m\u2028x\n{B}\trefs/tags/v1\n{C}\trefs/tags/v1^{{}}\n".encode()
        + b"%s\trefs/heads/\xff\n" % A.encode()
    )
    assert list(listing) == ["HEAD", "refs/heads/m\u2028x", "refs/tags/v1", "refs/heads/\udcff"]
    assert listing["refs/tags/v1"] == Ref("refs/tags/v1", object=B, commit=C)
    assert parse_listing(b"") == {}


@pytest.mark.parametrize(
    "line", [b"", b"\t", b"no tab", b"ref: refs/heads/x\tHEAD", b"%s\trefs/tags/v1^{}", b"-x\ty"]
)
def test_invalid_lines_of_a_listing_are_ignored(line):
    line = line.replace(b"%s", A.encode())
    assert list(parse_listing(b"%s\n%s\tHEAD\n" % (line, A.encode()))) == ["HEAD"]


@pytest.mark.parametrize(
    ("patterns", "kinds"),
    [
        (["refs/heads/*", "refs/tags/*"], ("--heads", "--tags")),
        (["refs/heads/main"], ("--heads",)),
        (["refs/heads/*", "refs/pull/*/merge"], ()),
        (["refs/*"], ()),
    ],
)
def test_kinds(patterns, kinds):
    """A listing is limited to the allowed refs, or complete where they are wider."""
    assert AllowedRefs.parse(patterns).kinds() == kinds


def test_refspecs_omit_unlisted_refs():
    """Git would refuse the whole fetch for one full name that is gone."""
    allowed = AllowedRefs.parse(["refs/heads/*", "refs/tags/here", "refs/tags/gone"])
    here = Ref("refs/tags/here", object=A, commit=A)
    assert allowed.refspecs({here.name: here}) == (
        "+refs/heads/*:refs/heads/*",
        "+refs/tags/here:refs/tags/here",
    )


@pytest.mark.parametrize("name", ["nixos-unstable", "release/24.05", "a" * 40, "a-b_c.d", "ä"])
def test_branch_names(name):
    assert is_branch_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "-x", "--upload-pack=x", "a..b", "a b", "a:b", "a~1", "a^", "a*", "a?", "a[b", "a\\b",
     "a@{1}", "a//b", "/a", "a/", "a.", ".a", "a/.b", "a/-b", "a.lock", "a\n", "a\0"],
)  # fmt: skip
def test_no_branch_names(name):
    """What git refuses, and what could be an option."""
    assert not is_branch_name(name)

"""Image names: the packages that a pull requests, and invalid names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixery.errors import NameInvalid
from nixery.image_name import ALWAYS, SHELL_PACKAGES, Architecture, parse, parse_tag


def test_every_component_is_a_package():
    """Dots descend into the set, so they stay part of the name."""
    assert parse("git/python3packages.requests").packages == (
        "cacert",
        "git",
        "iana-etc",
        "python3packages.requests",
    )


def test_certificates_and_service_names_are_always_in():
    assert set(ALWAYS) <= set(parse("htop").packages)


@given(st.permutations(["git", "htop", "jq", "curl"]))
def test_order_does_not_matter(names):
    """All orders of the same packages are one image."""
    assert parse("/".join(names)) == parse("curl/git/htop/jq")


def test_a_repeated_package_is_used_once():
    assert parse("git/git") == parse("git")


def test_shell_brings_what_the_go_server_brings():
    assert set(parse("shell").packages) == {*SHELL_PACKAGES, *ALWAYS}


@pytest.mark.parametrize("name", ["arm64/shell/git", "shell/arm64/git"])
def test_leading_meta_packages_come_in_any_order(name):
    request = parse(name)
    assert request.architecture is Architecture.ARM64
    assert {"git", "nano"} <= set(request.packages)


def test_a_meta_package_further_back_is_a_package():
    """As in the Go server: only leading components are special."""
    request = parse("git/shell/arm64")
    assert {"shell", "arm64"} <= set(request.packages)
    assert request.architecture is Architecture.AMD64


def test_the_architecture_tells_requests_apart():
    assert parse("arm64/hello") != parse("hello")


def test_only_images_with_a_shell_start_one():
    assert parse("shell/git").has_shell
    assert parse("bashinteractive").has_shell
    assert not parse("git").has_shell


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("/git", id="leading slash"),
        pytest.param("git/", id="trailing slash"),
        pytest.param("git//htop", id="empty component"),
        pytest.param("Git", id="upper case"),
        pytest.param("git;rm", id="shell syntax"),
        pytest.param("../etc", id="parent directory"),
        pytest.param("a..b", id="two dots"),
        pytest.param("-git", id="option"),
        pytest.param("git\n", id="trailing newline"),
        pytest.param("gït", id="not ASCII"),
        pytest.param("a" * 256, id="256 characters"),
        pytest.param("/".join(f"p{n}" for n in range(33)), id="33 packages"),
    ],
)
def test_invalid_names(name):
    with pytest.raises(NameInvalid):
        parse(name)


def test_upper_case_is_explained():
    with pytest.raises(NameInvalid, match=r"lower case: pull 'python3packages.x' instead of"):
        parse("python3Packages.x")


def test_the_largest_names_are_accepted():
    assert len(parse("/".join(f"p{n}" for n in range(32))).packages) == 32 + len(ALWAYS)
    assert parse("a" * 255).packages


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text):
    """Anything is either a request or a NameInvalid."""
    try:
        request = parse(text)
    except NameInvalid:
        return
    assert request.packages == tuple(sorted(set(request.packages)))


@pytest.mark.parametrize("tag", ["latest", "v1.0", "_x", "a" * 128, "0" * 40])
def test_tags(tag):
    assert parse_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", ".x", "-x", "a/b", "a" * 129, "x\n", "é"])
def test_invalid_tags(tag):
    with pytest.raises(NameInvalid):
        parse_tag(tag)


def test_the_architecture_and_the_user():
    request = parse("nonroot/amd64/git")
    assert (request.nonroot, request.architecture) == (True, Architecture.AMD64)
    assert request != parse("git")
    assert parse("amd64/git") == parse("git")
    assert "nonroot" in parse("git/nonroot").packages
    with pytest.raises(NameInvalid, match="two architectures"):
        parse("arm64/amd64/git")

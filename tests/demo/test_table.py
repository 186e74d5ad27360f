"""The table of packages that the project ships."""

import json
from collections import Counter

import pytest
from debset import table as tables
from support.demo_set import DEMO

from nixery.image_name import ALWAYS, SHELL_PACKAGES, parse

TABLE = tables.read(DEMO / "packages.json")
IMAGES = json.loads((DEMO / "images.json").read_text())


def test_the_small_selection_is_part_of_the_whole():
    small, whole = TABLE.select(whole=False), TABLE.select(whole=True)
    assert set(small) < set(whole)


def test_each_name_stands_once():
    """A second one would win silently when the file is read."""
    text = (DEMO / "packages.json").read_text()
    pairs = json.loads(text, object_pairs_hook=lambda found: found)
    names = Counter(name for name, _ in dict(pairs)["packages"])
    assert [name for name, count in names.items() if count > 1] == []


def test_every_package_runs_something():
    """Data has no program; every other package names its smoke test."""
    data = {"cacert", "iana-etc", "tzdata", "zlib"}
    assert {a.name for a in TABLE.attributes if not a.smoke} == data


def test_what_first_images_need_is_in_the_small_selection():
    needed = {*SHELL_PACKAGES, *ALWAYS}
    needed |= {"hello", "git", "htop", "curl", "python3", "perl", "jq"}
    assert needed <= {a.name for a in TABLE.select(whole=False)}


@pytest.mark.parametrize(
    ("deb", "node", "output"),
    [
        ("perl-modules-5.40", "perl", "out"),
        ("libperl5.36", "perl", "out"),
        ("libcurl4", "curl", "out"),
        ("curl", "curl", "bin"),
        ("libcurl4-openssl-dev", "curl", "dev"),
        ("libcurl3-gnutls", "libcurl3-gnutls", "out"),
        ("python3-requests", "python3-requests", "out"),
        ("python3.13-minimal", "python3", "out"),
    ],
)
def test_group_and_output_of_a_debian_package(deb, node, output):
    assert TABLE.node(deb) == node
    assert TABLE.output(deb) == output


def test_additions_follow_their_group():
    assert TABLE.additions(["libcurl4", "git"]) == ["libcurl4-openssl-dev"]
    assert TABLE.additions(["git"]) == []


@pytest.mark.parametrize("count", ["1", "5", "20"])
def test_images_of_the_benchmarks(count):
    """Clients type their attribute names; the set uses the packages' names."""
    image = IMAGES[count]
    assert len(image["packages"]) == int(count)
    assert image["name"] == "/".join(p.lower() for p in image["packages"])
    assert len(parse(image["name"]).packages) == int(count) + len(ALWAYS)
    known = {a.name for a in TABLE.select(whole=count == "20")}
    assert set(image["packages"]) <= known

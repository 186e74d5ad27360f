"""The benchmark of sharing, on an index small enough to check by hand."""

import json
import sys
from random import Random
from xml.etree import ElementTree as ET

import pytest

from benchmarks import figures, plots, sharing
from benchmarks.client import Client
from benchmarks.distribution import Revision, change, condense, parse
from benchmarks.figures import behind, worse
from benchmarks.images import draw, random_tools, read_tools, starting_list
from nixery.layers import STRATEGIES
from nixery.layers.plan import Layer, LayerPlan
from nixery.settings import Settings

INDEX = """\
Package: git
Version: 1:2.39.2-1
Installed-Size: 30
Section: vcs
Depends: libc6 (>= 2.34), perl:any | perl-compat, mta
Description: a tool
 Depends: on nothing, this is text

Package: perl
Version: 5.36~rc1
Installed-Size: 20
Section: perl
Depends: libc6, perl-base

Package: perl-base
Version: 5.36
Installed-Size: 5
Depends: perl

Package: libc6
Version: 2.36-9
Installed-Size: 12

Package: postfix
Version: 3.7
Installed-Size: 4
Section: mail
Provides: mta, smtp (= 1)
Depends: libc6, ghost
"""


@pytest.fixture
def debian():
    return condense(parse(INDEX))


def names(debian, positions):
    return sorted(debian.nodes[n].name for n in positions)


def test_needs_are_fulfilled_by_the_first_that_there_is(debian):
    found = debian.reach([debian.position["git"]])
    assert names(debian, found) == ["git", "libc6", "perl", "postfix"]


def test_a_circle_is_one_store_path(debian):
    assert debian.position["perl"] == debian.position["perl-base"]
    assert debian.nodes[debian.position["perl"]].size == 25 * 1024


def test_dependencies_come_first(debian):
    for n, node in enumerate(debian.nodes):
        assert all(to < n for to in node.references)
        assert all(n in debian.referrers[to] for to in node.references)


def test_a_change_gives_new_hashes_to_all_that_refer_to_it(debian):
    everything = range(len(debian.nodes))
    perl = debian.position["perl"]
    marks = dict.fromkeys(debian.reached_from([perl]), "x") | {perl: "x!"}
    before, after = (Revision(debian, everything, m) for m in ({}, marks))
    changed = [n for n in everything if before.path(n) != after.path(n)]
    assert names(debian, changed) == ["git", "perl"]
    assert before.path(perl).endswith("-perl-5.36.rc1")
    assert after.path(perl).endswith("-perl-5.36.rc1.1")
    assert after.path(debian.position["git"]).endswith("-git-2.39.2")


def test_the_requested_number_of_packages_changes(debian):
    marks = change(debian, 0.25, Random(1))
    assert sum(mark.endswith("!") for mark in marks.values()) == 1


def test_images_are_drawn_again_from_their_seed():
    assert draw([3, 1, 2], 7) == draw([3, 1, 2], 7) != draw([3, 1, 2], 8)
    counts = [sum(tool in image for image in draw(list(range(50)), 1)) for tool in (0, 9, 49)]
    assert counts == sorted(counts, reverse=True)
    assert all(1 <= len(image) <= 12 for image in draw(list(range(50)), 1))


def test_a_starting_list_has_no_scored_programs(debian):
    assert names(debian, starting_list(debian, [], 1)) == ["git", "postfix"]
    assert names(debian, starting_list(debian, [debian.position["git"]], 1)) == ["postfix"]


def test_random_tools_are_programs_out_of_the_index_by_a_seed(debian):
    assert sorted(names(debian, random_tools(debian, 1, ()))) == ["git", "postfix"]
    assert names(debian, random_tools(debian, 1, {debian.position["git"]})) == ["postfix"]
    drawn = {tuple(random_tools(debian, seed, ())) for seed in range(9)}
    assert len(drawn) == 2


def test_a_tool_that_is_not_in_the_index_is_named(debian, tmp_path):
    (tmp_path / "tools").write_text("git # a comment\n\nnonesuch\n")
    with pytest.raises(LookupError, match="nonesuch"):
        read_tools(tmp_path / "tools", debian)


def test_a_client_pulls_a_layer_once():
    client = Client()
    plan = LayerPlan((Layer(("/a",), 5, "alone"), Layer(("/b", "/c"), 2, "rest")))
    assert client.pull([plan, plan]) == 7
    assert client.forked().pull([plan]) == 0


def test_ideal_is_every_store_path_once(debian):
    images = [(debian.position["git"],), (debian.position["postfix"],)]
    given = sharing.contenders(debian, images, [], [])
    results = sharing.score(debian, images, given, sharing.changes(debian, 1, 2))
    assert results["size"][94].first == 1
    assert results["size"][94].after == 1
    assert results["size"][94].layers == 3
    assert results["size"][94].worse == results["size"][94].behind == 0
    assert results["units"][94].republish == 0


def test_changes_are_weighted_by_bytes_or_equally():
    assert figures.after([4, 96], [1, 99]) == figures.after([0], [0]) == 1
    assert figures.each([4, 99, 0], [1, 99, 0]) == 2.5
    assert figures.each([0], [0]) == 1


def test_images_are_worse_where_they_bring_more_than_by_size():
    assert worse([9, 1, 1, 6], [5, 5, 5, 5]) == 0.5


@pytest.mark.parametrize(
    ("pulled", "expected"), [([9, 1, 1], 1), ([5, 6, 1], 2), ([5, 5, 5], 0), ([1, 1, 9], 0)]
)
def test_a_client_is_behind_as_long_as_it_pulled_more_in_total(pulled, expected):
    assert behind(pulled, [5, 5, 5]) == expected


def test_a_seed_cannot_be_learned_from_and_scored(capsys):
    with pytest.raises(SystemExit):
        sharing.parse(["--seed", "5", "--learn-seed", "4"])
    assert "must differ" in capsys.readouterr().err


def test_plots_are_xml_with_a_bar_for_each_figure(tmp_path):
    figures = {
        strategy: {budget: {"first": 1.5, "after": 0.5} for budget in ("94", "40", "20")}
        for strategy in ("size", "a<b")
    }
    for file in plots.write(tmp_path, figures):
        bars = ET.fromstring(file.read_text()).findall("{http://www.w3.org/2000/svg}rect")
        assert len(bars) == 1 + 2 + 6


@pytest.mark.full
def test_the_default_is_what_wins(monkeypatch, capsys):
    """On the whole distribution, as `scripts/bench sharing` prints it."""
    monkeypatch.setattr(sys, "argv", ["sharing", "--draws", "1"])
    sharing.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["default"] == Settings.model_fields["layering"].default
    assert set(found["strategies"]) > set(STRATEGIES)

"""Pulls to judge a table by."""

from collections import Counter

from nixery.layers.demand import Demand
from nixery.layers.replay import ASKED, DRAWN, STRANGE, STRANGERS, USUAL_SIZES, replay


def asked(*images, start=()):
    packages = {package for image in images for package in image} | set(start)
    nothing = dict.fromkeys(packages, frozenset())
    return Demand(nothing, dict.fromkeys(packages, 1), images, tuple(start))


def test_what_was_asked_for_comes_first_and_the_latest_counts():
    images = [("a",)] + [("b",)] * ASKED
    assert replay(asked(*images))[:ASKED] == [("b",)] * ASKED


def test_the_same_demand_gives_the_same_pulls():
    found = asked(("a", "b"), ("c",), start="xyz")
    assert replay(found) == replay(found)


def test_packages_are_drawn_as_often_as_they_were_asked_for():
    drawn = replay(asked(*[("often",)] * 9, ("seldom",)))[10:]
    counts = Counter(package for image in drawn for package in image)
    assert len(drawn) == DRAWN
    assert 0 < counts["seldom"] < counts["often"] / 3


def test_strangers_join_some_of_what_is_drawn():
    images = [("a", "b", "c", "d", "e")] * 10
    drawn = replay(asked(*images, start=["x", "y", "z", "u"]))[10:]
    strangers = [len(set(image) & set("xyzu")) for image in drawn]
    assert STRANGE * 0.8 < sum(map(bool, strangers)) / DRAWN < STRANGE * 1.2
    assert max(strangers) == STRANGERS
    assert {len(image) for image in drawn} == {5}


def test_before_anything_was_asked_for_there_is_the_starting_list():
    start = [f"p{n:02d}" for n in range(20)]
    drawn = replay(asked(start=start))
    assert len(drawn) == DRAWN
    assert {package for image in drawn for package in image} == set(start)
    assert {len(image) for image in drawn} == set(USUAL_SIZES)


def test_nothing_known_is_nothing_pulled():
    assert replay(asked()) == []

"""Pulls to judge a table by."""

from collections import Counter

from nixery.learning.demand import Demand
from nixery.learning.replay import (
    DRAWN_PER_REQUESTED,
    MAX_REQUESTED,
    MAX_SINGLE,
    MAX_UNREQUESTED,
    MIN_DRAWN,
    UNREQUESTED_SHARE,
    USUAL_SIZES,
    replay,
)


def asked(*images, start=()):
    packages = {package for image in images for package in image} | set(start)
    nothing = dict.fromkeys(packages, frozenset())
    return Demand(nothing, dict.fromkeys(packages, 1), images, tuple(start))


def test_requested_images_come_first_and_the_latest_are_used():
    images = [("a",)] + [("b",)] * MAX_REQUESTED
    assert replay(asked(*images))[:MAX_REQUESTED] == [("b",)] * MAX_REQUESTED


def test_the_same_demand_gives_the_same_pulls():
    found = asked(("a", "b"), ("c",), start="xyz")
    assert replay(found) == replay(found)


def test_packages_are_drawn_as_often_as_requested():
    drawn = replay(asked(*[("often",)] * 9, ("seldom",)))[10:]
    counts = Counter(package for image in drawn for package in image)
    assert len(drawn) == MIN_DRAWN
    assert 0 < counts["seldom"] < counts["often"] / 3


def test_rare_packages_are_drawn_again():
    """Half a pull more for each: 225 of 375.5, where half of the requests are rare."""
    images = [("often",)] * (MAX_REQUESTED // 2) + [(f"p{n}",) for n in range(MAX_REQUESTED // 2)]
    drawn = replay(asked(*images))[MAX_REQUESTED:]
    assert len(drawn) == DRAWN_PER_REQUESTED * MAX_REQUESTED
    assert 0.55 < sum(image != ("often",) for image in drawn) / len(drawn) < 0.65


def test_packages_of_the_starting_list_join_some_images():
    images = [("a", "b", "c", "d", "e")] * MAX_REQUESTED
    drawn = replay(asked(*images, start=["x", "y", "z", "u"]))[MAX_REQUESTED:-4]
    assert len(drawn) == DRAWN_PER_REQUESTED * MAX_REQUESTED
    strangers = [len(set(image) & set("xyzu")) for image in drawn]
    assert (
        UNREQUESTED_SHARE * 0.8 < sum(map(bool, strangers)) / len(drawn) < UNREQUESTED_SHARE * 1.2
    )
    assert max(strangers) == MAX_UNREQUESTED
    assert {len(image) for image in drawn} == {5}


def test_each_package_of_the_starting_list_is_pulled_alone():
    assert set(replay(asked(("a", "b"), start=["x", "y"]))[-2:]) == {("x",), ("y",)}


def test_of_a_long_list_some_are():
    start = [f"p{n}" for n in range(5 * MAX_SINGLE)]
    *drawn, last = replay(asked(*[("a", "b")] * 2, start=start))[2 + MIN_DRAWN - 1 :]
    assert len(drawn) == MAX_SINGLE
    assert {last, *drawn[1:]} < {(package,) for package in start}


def test_without_requests_the_starting_list_is_used():
    start = [f"p{n:02d}" for n in range(20)]
    drawn = replay(asked(start=start))[:-20]
    assert len(drawn) == MIN_DRAWN
    assert {package for image in drawn for package in image} == set(start)
    assert {len(image) for image in drawn} == set(USUAL_SIZES)


def test_an_empty_image_is_ignored():
    assert replay(asked((), ("a",), start="x")) == replay(asked(("a",), start="x"))


def test_nothing_known_is_nothing_pulled():
    assert replay(asked()) == []

"""Which units are looked at together."""

import pytest
from hypothesis import given
from support.learning.groups import GROUPS, group

from nixery.learning import pairs as module
from nixery.learning.pairs import loss, pairs

PERL, GIT, CURL = range(3)
EXAMPLE = [group(PERL, 50, 1, 2, 3), group(GIT, 30, 1, 2), group(CURL, 8, 1, 2, 4, 5)]


def looked_at(groups):
    return [(pair.one, pair.other) for pair in pairs(groups)]


def test_the_nearest_of_the_worked_example(monkeypatch):
    """Git is the nearest of perl and of curl."""
    monkeypatch.setattr(module, "NEAR", 1)
    assert looked_at(EXAMPLE) == [(PERL, GIT), (GIT, CURL)]


def test_a_unit_that_is_nobodys_nearest_has_pairs(monkeypatch):
    """Glibc is in all pulls: no small unit is near to it, and it is near to every one of them."""
    monkeypatch.setattr(module, "NEAR", 1)
    glibc = group(0, 40, *range(6))
    others = [group(n, 1, n - 1) for n in range(1, 7)]
    assert looked_at([glibc, *others]) == [(0, n) for n in range(1, 7)]


def test_what_comes_in_few_pulls_is_not_near_to_what_comes_in_many(monkeypatch):
    """A tool that was requested once always comes with glibc; glibc mostly comes without it."""
    monkeypatch.setattr(module, "NEAR", 1)
    glibc, once = group(0, 40, *range(6)), group(1, 1, 5)
    often = [group(n, 1, 0, 1, 2, 3, 4, 7) for n in (2, 3)]
    assert looked_at([glibc, once, *often]) == [(0, 1), (0, 3), (2, 3)]


@given(GROUPS)
def test_few_are_all_looked_at_that_come_together(groups):
    together = [
        (one, other)
        for one in range(len(groups))
        for other in range(one + 1, len(groups))
        if groups[one].present & groups[other].present
    ]
    assert looked_at(groups) == together
    for pair in pairs(groups):
        one, other = groups[pair.one], groups[pair.other]
        assert pair.loss == pytest.approx(loss(one, other))
        assert pair.both == one.present & other.present


@pytest.mark.parametrize("near", [1, 5, 20])
def test_each_has_as_many_as_there_may_be(monkeypatch, near):
    monkeypatch.setattr(module, "NEAR", near)
    groups = [group(n, 1, 0, 1 + n % 7) for n in range(60)]
    found = looked_at(groups)
    assert len(found) <= near * len(groups)
    for n in range(60):
        assert sum(n in pair for pair in found) >= near

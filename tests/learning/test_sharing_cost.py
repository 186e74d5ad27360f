"""At what price units share a layer."""

import pytest
from hypothesis import given
from support.learning.groups import EXAMPLE, GIT, GLIBC, GROUPS, PERL, group

from nixery.learning import sharing_cost as module
from nixery.learning.sharing_cost import join, joined_cost


def more(one, other):
    return joined_cost(one, other) - one.cost - other.cost


@pytest.mark.parametrize(
    ("one", "other", "expected"), [(PERL, GIT, 18.75), (GLIBC, PERL, 17.5), (GLIBC, GIT, 22.5)]
)
def test_the_prices_of_the_worked_example(one, other, expected):
    assert more(EXAMPLE[one], EXAMPLE[other]) == expected


def test_what_changes_at_other_times_is_dearer():
    stable, volatile = group(0, 10, 1, made_of=0b1), group(1, 10, 1, made_of=0b1111111)
    alike = group(2, 10, 1, made_of=0b1)
    assert more(stable, alike) == pytest.approx(0)
    assert more(stable, volatile) > 0


def test_the_chance_of_a_change_follows_from_what_something_is_made_of():
    one = group(0, 1000, 1, made_of=0b1)
    assert one.cost == pytest.approx(500 * (1 + module.UPDATE_WEIGHT * module.CHANGE_RATE))


def test_units_of_many_pulls_are_downloaded_with_certainty():
    costs = [group(0, 16, *range(pulls)).cost for pulls in range(1, 5)]
    assert costs == [8, 12, 14, 15]


@given(GROUPS)
def test_variants_are_the_bytes_that_each_pull_has(groups):
    joined = groups[0]
    for other in groups[1:]:
        joined = join(joined, other)
    for pull in range(5):
        expected = sum(s.variants[0][1] for s in groups if s.present >> pull & 1)
        assert sum(size for pulls, size in joined.variants if pulls >> pull & 1) == expected
    assert joined.units == tuple(range(len(groups)))


@given(GROUPS)
def test_a_price_can_be_had_without_joining(groups):
    joined = groups[0]
    for other in groups[1:]:
        assert joined_cost(joined, other) == pytest.approx(join(joined, other).cost)
        joined = join(joined, other)


@given(GROUPS)
def test_no_group_takes_a_unit_for_less_than_it_costs_alone(groups):
    """The search for the best group ends early because of that."""
    joined = groups[0]
    for other in groups[1:]:
        assert joined_cost(joined, other) >= joined.cost + other.cost - 1e-9
        joined = join(joined, other)

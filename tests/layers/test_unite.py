"""What to put together, at what price."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixery.layers import unite as module
from nixery.layers.unite import Shelf, join, loss, pairs, unite

GLIBC, PERL, GIT = range(3)


def shelf(unit, size, *pulls, made_of=0):
    present = sum(1 << pull for pull in pulls)
    return Shelf((unit,), present, ((present, size),), made_of)


EXAMPLE = [shelf(GLIBC, 40, 1, 2, 3, 4), shelf(PERL, 50, 1, 2, 3), shelf(GIT, 30, 1, 2)]


def united(shelves, room):
    return unite(shelves, pairs(shelves), 14, room)


@pytest.mark.parametrize(
    ("one", "other", "expected"), [(PERL, GIT, 18.75), (GLIBC, PERL, 17.5), (GLIBC, GIT, 22.5)]
)
def test_the_prices_of_the_worked_example(one, other, expected):
    assert loss(EXAMPLE[one], EXAMPLE[other]) == expected


def test_the_cheapest_pair_of_the_worked_example():
    assert united(EXAMPLE, 2) == ((GLIBC, PERL),)


def test_images_that_fit_need_no_unions():
    assert united(EXAMPLE, 3) == ()


def test_what_never_comes_together_is_never_put_together():
    """It would save no layer."""
    shelves = [*(shelf(n, 10, 1) for n in range(3)), *(shelf(n, 1, 2) for n in range(3, 6))]
    for union in united(shelves, 2):
        assert set(union) <= {0, 1, 2} or set(union) <= {3, 4, 5}


def test_what_changes_at_other_times_is_dearer():
    stable, volatile = shelf(0, 10, 1, made_of=0b1), shelf(1, 10, 1, made_of=0b1111111)
    alike = shelf(2, 10, 1, made_of=0b1)
    assert loss(stable, alike) == pytest.approx(0)
    assert loss(stable, volatile) > 0


def test_what_fits_nowhere_may_stay_in_the_rest():
    """Pull 0 has 40 too much, which counts half; making room there costs the other pulls more.

    Of the four small shelves each two come together elsewhere, twice.
    """
    twos = list(combinations(range(4), 2))
    small = [
        shelf(n, 10, 0, *(pull for pull, pair in enumerate(twos * 2, start=1) if n in pair))
        for n in range(4)
    ]
    assert united([*small, shelf(4, 1000, 0, 13)], 2) == ()


SHELVES = st.lists(
    st.tuples(st.integers(1, 50), st.sets(st.integers(0, 4), min_size=1)), min_size=2, max_size=8
).map(lambda drawn: [shelf(n, size, *pulls) for n, (size, pulls) in enumerate(drawn)])


@given(SHELVES)
def test_variants_are_the_bytes_that_each_pull_has(shelves):
    joined = shelves[0]
    for other in shelves[1:]:
        joined = join(joined, other)
    for pull in range(5):
        expected = sum(s.variants[0][1] for s in shelves if s.present >> pull & 1)
        assert sum(size for pulls, size in joined.variants if pulls >> pull & 1) == expected
    assert joined.units == tuple(range(len(shelves)))


@given(SHELVES)
def test_the_price_is_the_difference_it_makes(shelves):
    one, other, *_ = shelves
    assert loss(one, other) == pytest.approx(join(one, other).cost - one.cost - other.cost)


@given(SHELVES, st.integers(1, 6))
def test_no_unit_is_in_two_unions(shelves, room):
    units = [unit for union in united(shelves, room) for unit in union]
    assert len(units) == len(set(units))
    assert all(len(union) > 1 for union in united(shelves, room))


def test_the_chance_of_a_change_follows_from_what_something_is_made_of():
    one = shelf(0, 1000, 1, made_of=0b1)
    assert one.cost == pytest.approx(500 * (1 + module.AGAIN * module.CHANGE))


def test_what_is_in_many_pulls_is_pulled_for_certain():
    costs = [shelf(0, 16, *range(pulls)).cost for pulls in range(1, 5)]
    assert costs == [8, 12, 14, 15]

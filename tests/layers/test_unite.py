"""What to put together, at what price."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from nixery.layers.pairs import pairs
from nixery.layers.unite import unite
from tests.layers.test_shelves import EXAMPLE, GLIBC, PERL, SHELVES, shelf


def united(shelves, room):
    """Units of each shelf that holds several."""
    found = unite(shelves, pairs(shelves), 14, room)
    assert sorted(unit for s in found for unit in s.units) == list(range(len(shelves)))
    return tuple(s.units for s in found if len(s.units) > 1)


def test_the_cheapest_pair_of_the_worked_example():
    assert united(EXAMPLE, 2) == ((GLIBC, PERL),)


def test_images_that_fit_need_no_unions():
    assert united(EXAMPLE, 3) == ()


def test_what_never_comes_together_is_never_put_together():
    """It would save no layer."""
    shelves = [*(shelf(n, 10, 1) for n in range(3)), *(shelf(n, 1, 2) for n in range(3, 6))]
    for union in united(shelves, 2):
        assert set(union) <= {0, 1, 2} or set(union) <= {3, 4, 5}


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


@given(SHELVES, st.integers(1, 6))
def test_no_unit_is_in_two_unions(shelves, room):
    units = [unit for union in united(shelves, room) for unit in union]
    assert len(units) == len(set(units))
    assert all(len(union) > 1 for union in united(shelves, room))

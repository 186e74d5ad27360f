"""What to put together, at what price."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from support.learning.groups import EXAMPLE, GLIBC, GROUPS, PERL, group

from nixery.learning import unite as module
from nixery.learning.pairs import pairs
from nixery.learning.unite import unite


def united(groups, room):
    """Units of each group that holds several."""
    found = unite(groups, pairs(groups), 15, room)
    assert sorted(unit for s in found for unit in s.units) == list(range(len(groups)))
    return tuple(s.units for s in found if len(s.units) > 1)


def test_the_cheapest_pair_of_the_worked_example():
    assert united(EXAMPLE, 2) == ((GLIBC, PERL),)


def test_images_that_fit_need_no_unions():
    assert united(EXAMPLE, 3) == ()


def test_what_never_comes_together_is_never_put_together():
    """It would save no layer."""
    groups = [*(group(n, 10, 1) for n in range(3)), *(group(n, 1, 2) for n in range(3, 6))]
    for union in united(groups, 2):
        assert set(union) <= {0, 1, 2} or set(union) <= {3, 4, 5}


def crowded():
    """Pull 0 has 40 too many, which weighs half; making room there costs the other pulls more.

    Any two of the four small groups come together elsewhere, twice.
    """
    twos = list(combinations(range(4), 2))
    small = [
        group(n, 10, 0, *(pull for pull, pair in enumerate(twos * 2, start=1) if n in pair))
        for n in range(4)
    ]
    return [*small, group(4, 1000, 0, 13)]


def test_what_fits_nowhere_may_stay_in_the_rest():
    assert united(crowded(), 2) == ()


def test_a_state_on_the_way_may_be_the_best():
    """Three that always come together cost nothing to unite; further unions are expensive."""
    (union,) = united([*crowded(), *(group(n, 100, 14) for n in range(5, 8))], 2)
    assert len(union) == 2
    assert set(union) < {5, 6, 7}


def test_what_has_no_layer_is_pulled_by_every_second_client():
    """Perl has a layer in pulls 1 and 2; glibc and git share the other one in each."""
    state = module._State(EXAMPLE, pairs(EXAMPLE), 14, 2)
    assert state.last_layers() == (70 + 70) / 2


@given(GROUPS, st.integers(1, 6))
def test_no_unit_is_in_two_unions(groups, room):
    units = [unit for union in united(groups, room) for unit in union]
    assert len(units) == len(set(units))
    assert all(len(union) > 1 for union in united(groups, room))

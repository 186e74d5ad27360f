"""Where units go, and that it is worth it."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.learning.groups import GROUPS, group

from nixery.learning import moves as module
from nixery.learning.moves import move
from nixery.learning.pairs import pairs
from nixery.learning.sharing_cost import Group, join
from nixery.learning.unite import unite

PULLS = 14
PERL, GLIBC, GIT, CURL, LESS = range(5)
# Units joined in pull 0 are joined in all pulls with either of them, so layers cost no more.
EXAMPLE = [group(n, size, 0) for n, size in enumerate((50, 40, 30, 8, 2))]


def joined(units):
    whole = units[0]
    for unit in units[1:]:
        whole = join(whole, unit)
    return whole


def cost(groups, room):
    """The same computed directly and slowly: layers, and half of all last layers."""
    total = sum(s.cost for s in groups)
    for pull in range(PULLS):
        sizes = [size for s in groups for pulls, size in s.variants if pulls >> pull & 1]
        if len(sizes) > room:
            total += sum(sorted(sizes)[: len(sizes) - room + 1]) / 2
    return total


def state_of(groups, units, room):
    return module._State(groups, units, pairs(units), PULLS, room)


def moved(groups, units, room):
    return move(groups, units, pairs(units), PULLS, room)


def together(units, *unions):
    """The units on groups, alone where no union names them."""
    alone = [(s.units[0],) for s in units if not any(s.units[0] in union for union in unions)]
    by_number = {s.units[0]: s for s in units}
    return [joined([by_number[unit] for unit in union]) for union in [*unions, *alone]]


@pytest.mark.parametrize(
    ("one", "other", "less"), [(GIT, PERL, 30), (GLIBC, PERL, 30), (LESS, PERL, 2), (LESS, CURL, 0)]
)
def test_the_differences_of_the_worked_example(one, other, less):
    """Half of them: every second pull is made."""
    apart = cost(EXAMPLE, 3)
    assert apart - cost(together(EXAMPLE, (one, other)), 3) == less / 2
    state = state_of(EXAMPLE, EXAMPLE, 3)
    stay, alone, gains = state._above(EXAMPLE[one], one, {other})
    assert alone + gains[other] - stay == less


def test_what_leaves_a_group_takes_its_own_bytes_only():
    groups = together(EXAMPLE, (PERL, GIT))
    state = state_of(groups, EXAMPLE, 3)
    assert state._above(EXAMPLE[GIT], 0, set())[0] == 30


def test_a_unit_leaves_the_group_that_it_was_put_on():
    """0 and 1 come together once, 1 and 2 always."""
    units = [group(0, 10, 0, 1, 2), group(1, 10, 2, 3, 4), group(2, 10, 2, 3, 4)]
    found = moved(together(units, (0, 1)), units, 2)
    assert sorted(s.units for s in found) == [(0,), (1, 2)]


def test_nearness_is_symmetric(monkeypatch):
    """Glibc is the nearest of each small one, and may go to any of them."""
    monkeypatch.setattr("nixery.learning.pairs.NEAR", 1)
    units = [group(0, 40, *range(6)), *(group(n, 1, n - 1) for n in range(1, 7))]
    state = state_of(units, units, 2)
    # Where they are, they cost so much that it pays to move anywhere.
    found = [set(state._candidates(unit, n, unit.cost + 1000)) for n, unit in enumerate(units)]
    assert found == [{1, 2, 3, 4, 5, 6}, *[{0}] * 6]


def test_a_unit_gets_a_group_of_its_own_where_all_fit():
    units = [group(0, 10, 0, 1), group(1, 10, 0, 2)]
    assert sorted(s.units for s in moved(together(units, (0, 1)), units, 2)) == [(0,), (1,)]


def test_all_that_leave_get_groups_of_their_own():
    """Also where the last unit left for a new group."""
    units = [group(n, 10, 0, n + 1) for n in range(4)]
    found = moved(together(units, (0, 1, 2, 3)), units, 4)
    assert sorted(s.units for s in found) == [(0,), (1,), (2,), (3,)]


def test_what_costs_most_is_tried_first(monkeypatch):
    """Small units find their place around it; of equals, the first in the table."""
    tried = []
    monkeypatch.setattr(module._State, "improve", lambda _, unit: tried.append(unit.units) or 0)
    units = [group(0, 1, 0), group(1, 9, 0), group(2, 9, 0), group(3, 9, 0, 1)]
    moved(units, units[::-1], 4)
    assert tried == [(3,), (1,), (2,), (0,)]


def test_sweeps_end_when_one_saves_too_little(monkeypatch):
    """Of 100 bytes the first saves 40, more than half of the 60 left; the next half of 40."""
    monkeypatch.setattr(module, "MIN_GAIN", 0.5)
    saved = iter([40.0, 20.0])
    monkeypatch.setattr(module._State, "total", lambda _: 100.0)
    monkeypatch.setattr(module._State, "improve", lambda *_: next(saved))
    moved([EXAMPLE[0]], [EXAMPLE[0]], 1)
    assert list(saved) == []


def test_what_never_comes_together_stays_apart():
    units = [*(group(n, 10, 1) for n in range(3)), *(group(n, 1, 2) for n in range(3, 6))]
    found = moved(units, units, 2)
    assert any(len(s.units) > 1 for s in found)
    for s in found:
        assert set(s.units) <= {0, 1, 2} or set(s.units) <= {3, 4, 5}


@given(GROUPS, st.integers(1, 6))
def test_only_groups_of_its_pulls_are_looked_at(units, room):
    state = state_of(units, units, room)
    for home, unit in enumerate(units):
        # Where it is, it costs so much that it pays to move anywhere.
        for target in state._candidates(unit, home, unit.cost + 1000):
            assert units[target].present & unit.present


@given(GROUPS, st.integers(1, 6), st.data())
def test_every_move_saves_the_reported_amount(units, room, data):
    state = state_of(units, units, room)
    total = state.total()
    assert total == pytest.approx(cost(units, room))
    for _ in range(8):
        saved = state.improve(data.draw(st.sampled_from(units)))
        assert saved >= 0
        total -= saved
        groups = list(state.groups.values())
        assert sorted(unit for s in groups for unit in s.units) == list(range(len(units)))
        for s in groups:
            assert s.cost == pytest.approx(joined([units[unit] for unit in s.units]).cost)
        assert total == pytest.approx(cost(groups, room))
        assert state.total() == pytest.approx(total)


@given(GROUPS, st.integers(1, 6))
def test_it_is_never_worse_for_moving(units, room):
    united = unite(units, pairs(units), PULLS, room)
    found = moved(united, units, room)
    assert sorted(unit for s in found for unit in s.units) == list(range(len(units)))
    assert cost(found, room) <= cost(united, room) + 1e-9


def partitions(units):
    """All ways to spread them over groups."""
    if not units:
        yield []
        return
    first, *others = units
    for rest in partitions(others):
        yield [[first], *rest]
        for n in range(len(rest)):
            yield [*rest[:n], [first, *rest[n]], *rest[n + 1 :]]


def drawn(random: Random, units: int) -> list[Group]:
    return [
        group(n, random.randint(5, 100), *random.sample(range(PULLS), random.randint(2, 9)))
        for n in range(units)
    ]


def test_little_is_lost_to_the_best_of_all_ways():
    """Of 203 ways to spread six units, in 40 sets of pulls with two layers and 40 with three."""
    random = Random(0)
    apart = united = found = best = 0.0
    for room in (2, 3) * 40:
        units = drawn(random, 6)
        groups = unite(units, pairs(units), PULLS, room)
        apart += cost(units, room)
        united += cost(groups, room)
        found += cost(moved(groups, units, room), room)
        best += min(cost([joined(s) for s in way], room) for way in partitions(units))
    assert apart > 1.1 * best
    assert found < united
    assert found < 1.02 * best


def test_much_is_won_where_there_is_more_to_choose_from(monkeypatch):
    """More with every sweep; none is made when the limit of examined moves is reached."""
    random = Random(0)
    apart = united = once = found = 0.0
    for _ in range(10):
        units = drawn(random, 60)
        groups = unite(units, pairs(units), PULLS, 12)
        apart += cost(units, 12)
        united += cost(groups, 12)
        found += cost(moved(groups, units, 12), 12)
        with monkeypatch.context() as patch:
            patch.setattr(module, "SWEEPS", 1)
            once += cost(moved(groups, units, 12), 12)
            patch.setattr(module, "MAX_SIZES_CHECKED", 0)
            assert moved(groups, units, 12) == groups
    assert apart > 1.1 * found
    assert found < once < united
    assert found < 0.995 * united

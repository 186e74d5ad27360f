"""Offers come in the order of a plain sorted list of them."""

from hypothesis import given
from hypothesis import strategies as st

from nixery.learning.unite import Offers

GROUPS = range(8)
ANY = st.tuples(
    st.sampled_from([0.0, 1.5, 2.0]), st.just(1), st.sampled_from(GROUPS), st.sampled_from(GROUPS)
)


def taken(offers, groups):
    while offers:
        yield offers.pop(groups)


@given(st.lists(st.lists(ANY)))
def test_the_cheapest_of_all_lists_comes_first(lists):
    offers = Offers(())
    for together in lists:
        offers.add(together)
    expected = sorted(offer for together in lists for offer in together)
    assert list(taken(offers, GROUPS)) == expected


@given(st.lists(ANY), st.sets(st.sampled_from(GROUPS)))
def test_void_offers_are_skipped(together, groups):
    first, *rest = sorted(together) or [None]
    expected = [offer for offer in rest if {*offer[2:]} <= groups]
    assert list(taken(Offers(together), groups)) == ([first] if first else []) + expected

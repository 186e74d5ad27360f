"""Groups for tests of learning: the worked example of the docstrings, and arbitrary ones."""

from hypothesis import strategies as st

from nixery.learning.sharing_cost import Group

GLIBC, PERL, GIT = range(3)


def group(unit, size, *pulls, made_of=0):
    present = sum(1 << pull for pull in pulls)
    return Group((unit,), present, ((present, size),), made_of)


EXAMPLE = [group(GLIBC, 40, 1, 2, 3, 4), group(PERL, 50, 1, 2, 3), group(GIT, 30, 1, 2)]

GROUPS = st.lists(
    st.tuples(st.integers(1, 50), st.sets(st.integers(0, 4), min_size=1)), min_size=2, max_size=8
).map(lambda drawn: [group(n, size, *pulls) for n, (size, pulls) in enumerate(drawn)])

"""Closures for tests of layering, and properties of their plans."""

from hypothesis import strategies as st

from nixery.closure import Closure, PathInfo
from nixery.layers.tables import EMPTY, Tables, Units

MIB = 1 << 20


def path(name, revision=0):
    return f"/nix/store/{revision:032d}-{name}-1.0"


def closure_of(packages, revision=0):
    """``{name: (size, names it refers to)}`` as a closure."""
    return Closure(
        tuple(
            PathInfo(path(name, revision), size, tuple(sorted(path(n, revision) for n in names)))
            for name, (size, names) in sorted(packages.items())
        )
    )


def names_of(layer):
    return [path.partition("-")[2].removesuffix("-1.0") for path in layer.paths]


@st.composite
def closures(draw):
    """Any graph without circles: a path refers to such that come before it."""
    sizes = draw(st.lists(st.integers(0, 50), min_size=1, max_size=30))
    edges = draw(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
    return closure_of(
        {
            f"p{n:02d}": (size, {f"p{to:02d}" for at, to in edges if at == n and to < n})
            for n, size in enumerate(sizes)
        }
    )


@st.composite
def circles(draw):
    """Any graph at all. A store has no cycles; a damaged description of one may have some."""
    edges = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
    return closure_of(
        {f"p{n:02d}": (n, {f"p{to:02d}" for at, to in edges if at == n}) for n in range(10)}
    )


@st.composite
def unit_tables(draw):
    """Tables of units over the names of ``closures()``, right or wrong."""
    names = [f"p{n:02d}" for n in draw(st.permutations(range(30)))]
    cuts = sorted(draw(st.sets(st.integers(1, 29), max_size=12)))
    units = tuple(
        tuple(sorted(names[start:end]))
        for start, end in zip([0, *cuts], [*cuts, draw(st.integers(29, 30))], strict=True)
    )
    cut = draw(st.integers(0, len(units)))
    unions = {draw(st.integers(1, 20)): (tuple(range(cut)),)} if cut > 1 else {}
    return Tables(EMPTY.popularity, Units(units, unions))

"""The table of units, learned from requests."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.few_tools import TOOLS
from support.layers.closures import closure_of, names_of, path

from nixery.layers import EMPTY, Tables, group
from nixery.layers.tables import EMPTY as NOTHING
from nixery.layers.tables import Units
from nixery.learning import learn as module
from nixery.learning.demand import Demand, demand
from nixery.learning.learn import learn, learning, worth_publishing
from nixery.learning.sharing_cost import join


def asked(*images, packages=TOOLS, start=()):
    paths = [[path(name) for name in image] for image in images]
    return demand(closure_of(packages), paths, [path(name) for name in start])


def test_what_always_comes_together_is_a_unit(monkeypatch):
    monkeypatch.setattr(module, "LARGE", 0)
    table = learn(asked(["git"], ["git", "curl"], ["python3"]))
    assert sorted(table.units) == [
        ("curl",),
        ("git", "pcre2"),
        ("glibc",),
        ("openssl",),
        ("python3",),
    ]


def test_large_paths_are_units_of_their_own(monkeypatch):
    monkeypatch.setattr(module, "LARGE", 3)
    assert ("git",) in learn(asked(["git"], ["curl"], ["python3"])).units


def test_the_most_requested_unit_comes_first():
    assert learn(asked(["git"], ["curl"], ["python3"])).units[0] == ("glibc",)


def test_the_same_demand_gives_the_same_table():
    found = asked(["git", "curl"], ["python3"], start=["curl"])
    assert learn(found) == learn(found)


def test_tables_come_one_budget_after_another():
    """The smallest first, and each contains the previous one."""
    images = [["git", "curl"], ["git", "python3"], ["git", "curl", "python3"], ["curl"]]
    found = list(learning(asked(*images * 9), [3, 2]))
    assert [list(table.unions) for table in found] == [[], [2], [2, 3]]
    assert found[1].unions[2] == found[2].unions[2]
    assert {table.units for table in found} == {found[0].units}


def test_no_requests_give_an_empty_table():
    assert learn(asked()).units == ()


def test_a_starting_list_alone_makes_a_table():
    names = {name for unit in learn(asked(start=["git", "curl"])).units for name in unit}
    assert names == {"git", "pcre2", "glibc", "curl", "openssl"}


def test_only_considered_units_get_closures(monkeypatch):
    """Units are many and refer to most of the graph: of 100,000 paths, that took minutes."""
    followed, brings = [], Demand.brings

    def counted(self, *names):
        followed.append(names)
        return brings(self, *names)

    monkeypatch.setattr(Demand, "brings", counted)
    monkeypatch.setattr(module, "MAX_CONSIDERED", 2)
    assert len(learn(asked(start=["git", "curl"])).units) > 2
    assert len(followed) == 2 + 2


def test_units_with_most_bytes_are_considered(monkeypatch):
    """By bytes over all pulls: a larger path with few requests has less to gain."""
    considered = []
    monkeypatch.setattr(module, "MAX_CONSIDERED", 1)
    monkeypatch.setattr(module, "pairs", lambda groups: considered.extend(groups) or [])
    packages = {"often": (3, []), "large": (5, [])}
    learn(asked(*[["often"]] * 9, ["large"], packages=packages))
    assert [group.variants[0][1] for group in considered] == [3]


def test_units_may_move_before_a_table_has_them(monkeypatch):
    """Every result is a valid table, for every budget; units without a size are left alone."""
    rooms = []

    def all_on_one(groups, units, _near, _pulls, room):
        rooms.append(room)
        assert len(groups) <= len(units)
        assert all(unit.variants[0][1] for unit in units)
        whole = units[0]
        for unit in units[1:]:
            whole = join(whole, unit)
        return [whole]

    monkeypatch.setattr(module, "move", all_on_one)
    monkeypatch.setattr(module, "_pulled", lambda *_: 0)
    packages = {"git": (5, ["pcre2", "void"]), "curl": (4, []), "pcre2": (3, []), "void": (0, [])}
    table = learn(asked(["git"], ["curl"], packages=packages), [2, 3])
    (union,) = table.unions[2]
    assert {name for unit in union for name in table.units[unit]} >= {"git", "curl", "pcre2"}
    assert table.unions[3] == (union,)
    assert rooms == [1, 2]  # a unit without a size needs a layer as well


def test_unions_that_do_not_pay_are_empty(monkeypatch):
    pulled = iter([0, 1, 0, 0])  # by size and by the table, at 2 and at 3
    monkeypatch.setattr(module, "_pulled", lambda *_: next(pulled))
    images = [["git", "curl"], ["git", "python3"], ["git", "curl", "python3"], ["curl"]]
    table = learn(asked(*images * 9), budgets=[2, 3])
    assert table.unions[2] == ()
    assert table.unions[3]


def test_unions_fit_the_requested_images_into_the_budget():
    images = [["git", "curl"], ["git", "python3"], ["git", "curl", "python3"], ["curl"]]
    tables = Tables(EMPTY.popularity, learn(asked(*images * 9), budgets=[3]))
    plan = group(closure_of(TOOLS), tables, 3, "units")
    assert ["git", "pcre2"] in [names_of(layer) for layer in plan.layers]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 100), min_size=12, max_size=12),
    st.lists(st.sets(st.integers(0, 7), min_size=1, max_size=4), min_size=1, max_size=12),
    st.integers(2, 6),
)
def test_requested_images_are_not_worse_than_with_size(sizes, images, budget):
    """A client that pulls each of them pulls no more bytes in total."""
    libraries = ["l0", "l1", "l2", "l3"]
    packages = {name: (size, []) for name, size in zip(libraries, sizes[8:], strict=True)}
    packages |= {
        f"p{n}": (size, [libraries[n % 4], libraries[n // 2]]) for n, size in enumerate(sizes[:8])
    }
    wanted = [[f"p{n}" for n in sorted(image)] for image in images]
    tables = Tables(EMPTY.popularity, learn(asked(*wanted, packages=packages), [budget]))

    def pulled(strategy):
        layers = set()
        for image in wanted:
            needed = {name: packages[name] for name in image}
            needed |= {name: packages[name] for _, names in needed.values() for name in names}
            plan = group(closure_of(needed), tables, budget, strategy)
            layers |= {(layer.paths, layer.size) for layer in plan.layers}
        return sum(size for _, size in layers)

    assert pulled("units") <= pulled("size")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 100), min_size=12, max_size=12),
    st.lists(st.sets(st.integers(0, 7), min_size=1, max_size=4), min_size=1, max_size=12),
)
def test_no_image_is_worse_than_by_size_while_all_fit(sizes, images):
    """A client pulls every path once, in any order of pulls, which is the minimum.

    Also images that were never requested; their packages were requested one by one.
    """
    names = [f"p{n}" for n in range(8)] + ["l0", "l1", "l2", "l3"]
    packages = {name: (size, []) for name, size in zip(names, sizes, strict=True)}
    for n in range(8):
        packages[f"p{n}"][1].extend({f"l{n % 4}", f"l{n // 2}"})
    found = asked(*([f"p{n}"] for n in range(8)), packages=packages)
    tables = Tables(EMPTY.popularity, learn(found, budgets=[]))
    layers, paths = set(), {}
    for image in images:
        needed = found.brings(*(f"p{n}" for n in image))
        closure = closure_of({name: packages[name] for name in needed})
        layers |= set(group(closure, tables, 94, "units").layers)
        paths |= {info.path: info.size for info in closure.paths}
        assert sum(layer.size for layer in layers) == sum(paths.values())


def test_all_images_that_were_learned_from_judge_a_table(monkeypatch):
    """One image alone shares nothing, and would call every table useless."""
    monkeypatch.setattr(module, "CHECKED_IMAGES", 1)
    found = asked(["git", "curl"], ["git", "python3"], ["curl", "python3"])
    assert worth_publishing(learn(found, [3]), NOTHING.units, found, 3)


@pytest.mark.parametrize(("new", "pays"), [(89, True), (90, False), (100, False)])
def test_a_table_is_published_when_it_pays(monkeypatch, new, pays):
    """Of 100 bytes that are pulled with the old one, ten must be saved and more."""
    better = Units((("git",),), {})
    monkeypatch.setattr(module, "_pulled", lambda table, *_: new if table is better else 100)
    assert worth_publishing(better, NOTHING.units, asked(["git"]), 3) is pays


def test_the_latest_images_judge_a_table():
    found = asked(["git"], ["curl"], packages={"git": (30, []), "curl": (4, [])})
    assert module._pulled(NOTHING.units, found, 9, 1) == 4


def test_a_table_is_judged_by_what_a_client_would_pull():
    """Also by its plans for unknown paths: they are grouped, and cost it no layers."""
    packages = {f"common{n}": (100, []) for n in range(9)}
    packages |= {f"new{n}": (1, []) for n in range(5)}
    packages |= {"tool": (1, [*packages]), "git": (30, [f"common{n}" for n in range(9)])}
    images = [["git"], ["tool"], ["git", "tool"]]
    old = Units(tuple((f"common{n}",) for n in range(9)), {})
    layers = set()
    for image in images:
        needed = {*image, *(name for package in image for name in packages[package][1])}
        closure = closure_of({name: packages[name] for name in needed})
        layers |= set(group(closure, Tables(EMPTY.popularity, old), 12, "units").layers)
    pulled = module._pulled(old, asked(*images, packages=packages), 12, 300)
    assert pulled == sum(layer.size for layer in layers)

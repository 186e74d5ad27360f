"""Dependencies between packages, without cycles."""

import pytest
from debset.apt import Deb
from debset.assemble import Found, assemble, store_name, upstream_version
from debset.graph import (
    Edge,
    Unresolvable,
    components,
    find_edges,
    first_names,
    reachable,
    to_graph,
    without_cycles,
)
from debset.scan import Contents
from debset.table import Attribute, Group, Table


def make_table(groups=(), left_out=(), wrap=None, names=None):
    return Table(
        attributes=(),
        groups={group.node: group for group in groups},
        left_out=frozenset(left_out),
        names=names or {},
        links={},
        wrap=wrap or {},
        boot=("python3.*-minimal",),
        boot_roots=(),
    )


def make_debs(**depends):
    """``git="libc6, perl | mawk"``; a minus in a name is written as two underscores."""
    names = {name.replace("__", "-"): value for name, value in depends.items()}
    return {
        name: Deb(name, "1:2.0-1", f"{name}_2.deb", 1, f"hash of {name}", value, "", "", "")
        for name, value in names.items()
    }


def make_contents(debs, **found):
    nothing = Contents((), (), (), (), has_man=False)
    return {name: found.get(name.replace("-", "__"), nothing) for name in debs}


def library(*provides, needs=(), interpreters=(), man=False):
    return Contents(tuple(provides), tuple(needs), tuple(interpreters), (), has_man=man)


def edges_of(debs, table=None, **found):
    found_edges = find_edges(debs, make_contents(debs, **found), table or make_table())
    return {(edge.source, edge.target, edge.kind) for edge in found_edges}


def test_clauses_of_depends():
    assert first_names("libc6 (>= 2.34), perl:any | mawk (<< 3) [amd64],, x") == [
        ["libc6"],
        ["perl", "mawk"],
        ["x"],
    ]


def test_the_first_available_alternative_is_used():
    debs = make_debs(git="absent | perl, mawk | gawk", perl="", mawk="", gawk="")
    assert edges_of(debs) == {("git", "perl", "depends"), ("git", "mawk", "depends")}


def test_a_virtual_package_means_its_provider():
    debs = make_debs(a="awk", gawk="", mawk="")
    debs = {
        name: Deb(deb.name, deb.version, deb.file, 1, "", deb.depends, "awk (= 1)", "", "")
        if name.endswith("awk")
        else deb
        for name, deb in debs.items()
    }
    assert edges_of(debs) == {("a", "gawk", "depends")}


def test_what_configures_a_system_is_left_out():
    debs = make_debs(a="dpkg, b", b="", dpkg="")
    assert edges_of(debs, make_table(left_out=["dpkg"])) == {("a", "b", "depends")}


def test_a_library_comes_from_whom_the_record_names():
    debs = make_debs(a="mine", mine="", another="")
    found = {"mine": library("libx.so.1"), "another": library("libx.so.1")}
    assert ("a", "mine", "elf") in edges_of(debs, a=library(needs=["libx.so.1"]), **found)


def test_an_own_library_is_not_an_edge():
    debs = make_debs(a="", b="")
    own = library("libx.so.1", needs=["libx.so.1"])
    assert edges_of(debs, a=own, b=library("libx.so.1")) == set()


def test_scripts_and_wrappers_need_a_shell():
    debs = make_debs(a="", dash="", b="", ncurses="")
    table = make_table(wrap={"b": {"programs": ["b"], "default": {"T": "@ncurses@/t:@out@/u"}}})
    assert edges_of(debs, table, a=library(interpreters=["sh", "tclsh"])) == {
        ("a", "dash", "script"),
        ("b", "dash", "wrap"),
        ("b", "ncurses", "wrap"),
    }


def test_packages_of_a_group_are_one_node():
    table = make_table([Group("perl", ("perl", "perl-modules-5.*"), {}, ())])
    edges = [
        Edge("perl", "perl-modules-5.36", "depends"),
        Edge("perl", "libc6", "depends"),
        Edge("perl-modules-5.36", "libc6", "elf"),
    ]
    assert to_graph(["perl", "perl-modules-5.36", "libc6"], edges, table) == {
        "perl": {"libc6": "elf"},
        "libc6": {},
    }


def test_components_of_a_long_chain():
    """Deeper than Python's own stack would go."""
    count = 5000
    chain = {str(i): [str(i + 1)] for i in range(count)} | {str(count): ["0"]}
    assert components(chain) == [{str(i) for i in range(count + 1)}]


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        pytest.param(
            {"a": {"b": "depends"}, "b": {"a": "elf"}},
            {"a": {}, "b": {"a": "elf"}},
            id="depends yields to elf",
        ),
        pytest.param(
            {"a": {"b": "script"}, "b": {"a": "depends"}},
            {"a": {}, "b": {"a": "depends"}},
            id="script yields to depends",
        ),
        pytest.param(
            {"a": {"b": "depends"}, "b": {"c": "script"}, "c": {}},
            {"a": {"b": "depends"}, "b": {"c": "script"}, "c": {}},
            id="no circle, nothing lost",
        ),
        pytest.param(
            {"a": {"b": "depends", "c": "depends"}, "b": {"a": "wrap"}, "c": {}},
            {"a": {"c": "depends"}, "b": {"a": "wrap"}, "c": {}},
            id="only edges inside the circle go",
        ),
    ],
)
def test_circles_are_opened(graph, expected):
    assert without_cycles(graph) == expected


def test_a_circle_of_libraries_is_refused():
    with pytest.raises(Unresolvable, match=r"\['a', 'b'\]"):
        without_cycles({"a": {"b": "elf"}, "b": {"a": "elf"}})


def test_reachable():
    assert reachable({"a": ["b"], "b": ["a"], "c": ["a"]}, ["a"]) == {"a", "b"}


def test_names_that_nix_takes():
    assert store_name("a_1%3a2~rc1@x") == "a_1-3a2-rc1-x"
    assert upstream_version("1:2.0~rc1-1") == "2.0-rc1-1"


def test_a_package_of_several_outputs():
    """Programs need the program's output, linked files the libraries', and names are nixpkgs'."""
    group = Group(
        "curl",
        ("curl", "libcurl4", "libcurl-dev"),
        {"bin": ("curl",), "dev": ("libcurl-dev",)},
        ("libcurl-dev",),
    )
    table = make_table([group], names={"curl": "cURL"})
    debs = make_debs(
        curl="libc6",
        libcurl4="libc6",
        libcurl__dev="unknown, git",
        git="curl, libcurl4",
        libc6="",
        zlib1g="",
        python3__11__minimal="",
    )
    debs = {name.replace("python3-11", "python3.11"): deb for name, deb in debs.items()}
    contents = make_contents(
        debs,
        curl=library(man=True),
        libcurl4=library("libcurl.so.4"),
        zlib1g=library("libz.so.1"),
        git=library(needs=["libz.so.1"]),
    )
    attributes = (
        Attribute("git", "git", small=True, smoke=(), user=None, together=(), program="git"),
        Attribute("x.curl", "curl", small=True, smoke=(), user=None, together=(), program=None),
    )
    made = assemble(Found(table, debs, contents), attributes)

    assert made["attrs"] == {"git": "git"}
    assert made["nested"] == {"x.curl": "curl"}
    assert made["boot"]["python"] == "python3.11"
    assert set(made["nodes"]) == {"git", "curl", "libc6", "zlib1g"}
    curl = made["nodes"]["curl"]
    assert curl["pname"] == "cURL"
    assert curl["outputs"] == ["bin", "dev", "out", "man"]
    assert curl["deps"] == ["libc6.out"]
    assert curl["depends"] == {"bin": ["libc6.out"], "out": ["libc6.out"]}
    assert [deb["output"] for deb in curl["debs"]] == ["bin", "dev", "out"]
    git = made["nodes"]["git"]
    assert git["mainProgram"] == "git"
    assert git["outputs"] == ["out"]
    assert git["deps"] == ["curl.bin", "curl.out", "zlib1g.out"]
    assert git["depends"] == {"out": ["curl.bin", "curl.out"]}

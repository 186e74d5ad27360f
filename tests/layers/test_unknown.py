"""Paths that are in no table."""

from hypothesis import given
from hypothesis import strategies as st
from support.layers.closures import MIB, closure_of, closures, names_of, path

from nixery.closure import Closure, PathInfo
from nixery.layers import EMPTY, Tables, group
from nixery.layers.tables import Units
from nixery.layers.unknown import SMALL, group_unknown

KNOWN = Tables(EMPTY.popularity, Units((("openssl",), ("perl",), ("git",), ("curl",)), {}))
DRAWING = {
    "blas": (5, []),
    "git": (30, ["perl"]),
    "liblinear": (1, ["blas"]),
    "nmap": (20, ["liblinear", "openssl"]),
    "openssl": (6, ["perl"]),
    "perl": (50, []),
}


COMMON = {f"common{n}": (1, []) for n in range(9)}


def groups_of(packages, known=(), budget=94):
    closure = closure_of(packages | COMMON)
    known = {path(name) for name in (*known, *COMMON)}
    unknown = [info for info in closure.paths if info.path not in known]
    groups = group_unknown(closure, unknown, budget)
    return sorted(names_of_infos(infos) for infos in groups)


def names_of_infos(infos):
    return sorted(info.path.partition("-")[2].removesuffix("-1.0") for info in infos)


def test_what_a_new_package_alone_brings_goes_with_it():
    assert groups_of(DRAWING, {"openssl", "perl", "git"}) == [["blas", "liblinear", "nmap"]]


def test_what_several_packages_bring_is_alone():
    packages = {"lib": (1, []), "below": (1, []), "one": (1, ["lib"]), "two": (1, ["lib"])}
    packages["lib"] = (1, ["below"])
    assert groups_of(packages) == [["below"], ["lib"], ["one"], ["two"]]


def test_a_known_package_brings_too():
    """Paths that an update adds to git are grouped; paths that another package brings are not."""
    packages = {
        "git": (1, ["new", "newer", "both"]), "curl": (1, ["both"]),
        "new": (1, []), "newer": (1, []), "both": (1, []),
    }  # fmt: skip
    assert groups_of(packages, {"git", "curl"}) == [["both"], ["new", "newer"]]


def test_a_large_path_is_alone_the_sooner_the_more_layers_there_are():
    large = SMALL // 40
    packages = {"tool": (1, ["large", "small"]), "large": (large, []), "small": (MIB, [])}
    assert groups_of(packages, budget=40) == [["large", "small", "tool"]]
    assert groups_of(packages, budget=41) == [["large"], ["small", "tool"]]


def test_layers_of_a_new_package_are_shared_by_all_images_that_have_it():
    images = [DRAWING, DRAWING | {"curl": (3, ["openssl"])}]
    plans = [group(closure_of(image), KNOWN, 94, "units") for image in images]
    for plan in plans:
        assert ["blas", "liblinear", "nmap"] in [names_of(layer) for layer in plan.layers]


def test_a_table_that_knows_less_than_half_of_an_image_groups_nothing():
    """It may know glibc alone, and in an image of one package all is brought by that."""
    packages = {f"p{n}": (n, [f"p{n - 1}"] if n else []) for n in range(6)}
    for known, layers in [(2, 6), (3, 4)]:
        units = tuple((f"p{n}",) for n in range(known))
        tables = Tables(EMPTY.popularity, Units(units, {}))
        assert len(group(closure_of(packages), tables, 94, "units").layers) == layers


def test_what_has_no_top_is_alone():
    """Folded names go in circles: python and its pip, each of two versions."""
    packages = {"one": (1, ["other"]), "other": (1, ["one"]), "self": (1, ["self"])}
    assert groups_of(packages) == [["one"], ["other"], ["self"]]


@given(closures(), st.integers(1, 100))
def test_each_path_is_in_one_group_with_those_of_the_same_package(closure, budget):
    below = {info.path: set(info.references) for info in closure.paths}
    common = closure_of({f"c{n}": (1, []) for n in range(len(below))})
    whole = Closure((*common.paths, *closure.paths))
    packages = below.keys() - set().union(*below.values())

    def reached(package):
        ahead, found = [package], set()
        while ahead:
            if (at := ahead.pop()) not in found:
                found.add(at)
                ahead.extend(below[at])
        return found

    brings = {package: reached(package) for package in packages}
    expected: dict[object, set[str]] = {}
    for at in below:
        by = [package for package in packages if at in brings[package]]
        expected.setdefault(by[0] if len(by) == 1 else (at,), set()).add(at)
    found = group_unknown(whole, closure.paths, budget)
    assert sorted(sorted(info.path for info in infos) for infos in found) == sorted(
        map(sorted, expected.values())
    )


def test_no_reference_is_followed_for_each_package_again():
    """A thousand packages on a stack of a thousand paths: a million steps, if they were."""
    stack = [PathInfo(f"s{n:04}", 1, (f"s{n + 1:04}",) if n < 999 else ()) for n in range(1000)]
    followed = 0

    class Counted(tuple[str, ...]):
        __slots__ = ()

        def __iter__(self):
            nonlocal followed
            followed += 1
            return super().__iter__()

    tops = [PathInfo(f"t{n:04}", 1, ("s0000",)) for n in range(1000)]
    infos = [PathInfo(i.path, i.size, Counted(i.references)) for i in (*stack, *tops)]
    assert len(group_unknown(Closure(tuple(infos)), infos[1000:], 94)) == 1000
    assert followed <= 2000 + 2 * 1000 + 1000

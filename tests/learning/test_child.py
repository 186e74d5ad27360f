"""The program that learns."""

import io
import os
import subprocess
import sys

from support.tables.tools import asked, path

from nixery.closure import Closure, PathInfo
from nixery.layers.tables import parse_units
from nixery.learning import child
from nixery.tables.request_record import RequestRecord, encode

BUDGET = 12


def test_the_same_package_of_two_revisions_is_one_name():
    def old(text):
        return text.replace(path("curl"), path("curl").replace("0" * 32, "1" * 32))

    older = encode(asked("curl")).decode()
    images = [found for data in (old(older), older) for found, _ in [child.decode(data)]]
    wanted = child.demand_of(images, None)
    assert wanted.images == (("curl",), ("curl",))


def large_image(*tools):
    """Of tools with 40 libraries each, half of them shared with the next tool."""
    brought = {tool: [f"lib{n}" for n in range(20 * tool, 20 * tool + 40)] for tool in tools}
    infos = {
        path(library): PathInfo(path(library), len(library), ())
        for libraries in brought.values()
        for library in libraries
    }
    infos |= {
        path(f"tool{tool}"): PathInfo(path(f"tool{tool}"), 9, tuple(map(path, sorted(libraries))))
        for tool, libraries in brought.items()
    }
    packages = tuple(path(f"tool{tool}") for tool in tools)
    return RequestRecord(packages, Closure(tuple(infos[known] for known in sorted(infos))))


def large_request():
    images = [large_image(n % 16, (n * 5 + 1) % 16, (n * 3 + 2) % 16) for n in range(60)]
    return child.request(map(encode, images), encode(large_image(16, 17)), None, BUDGET)


def test_a_unit_that_may_set_no_priorities_learns_all_the_same(monkeypatch, capsysbinary):
    def refuse(_):
        raise PermissionError

    monkeypatch.setattr("os.nice", refuse)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(large_request())))
    child.main()
    assert parse_units(capsysbinary.readouterr().out)


def test_no_order_of_a_process_reaches_the_table():
    """Sets are ordered differently with each of these seeds; most names are in units of several."""
    tables = {
        subprocess.run(
            [sys.executable, "-m", child.__name__],
            input=large_request(),
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in "123"
    }
    (table,) = map(parse_units, tables)
    assert table.unions[BUDGET]
    assert any(len(unit) > 1 for unit in table.units)


def test_a_path_whose_name_is_only_a_version_is_learned_like_any_other():
    """Nix takes it: `nix-store --add ./-1.0`."""
    data = encode(asked("git")).replace(b"-pcre2-1.0", b"--1.0")
    wanted = child.demand_of([child.decode(data)[0]], None)
    assert "-1.0" in wanted.brings("git")

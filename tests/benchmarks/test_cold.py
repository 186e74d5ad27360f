"""The benchmark of a first pull, on a tiny image: it prints all figures."""

import json

import pytest
from support.tiny_set import make_store, make_tiny_set, nix_environment

from benchmarks import cold
from benchmarks.grouping import make_closure, make_tables
from nixery.layers import group, names


@pytest.mark.nix
@pytest.mark.parametrize(
    "kind",
    [
        "zstd",
        pytest.param("gzip", marks=pytest.mark.full),
        pytest.param("none", marks=pytest.mark.full),
    ],
)
def test_a_first_pull_is_measured(monkeypatch, tmp_path, capsys, kind):
    environment = nix_environment(make_store(), tmp_path, NIXERY_PKGS_PATH=str(make_tiny_set()))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    figures = cold.measure("git", 1, tmp_path, {"NIXERY_COMPRESSION": kind})
    assert list(json.loads(json.dumps(figures))) == [
        "time_ratio",
        "cpu_ratio",
        "bytes_ratio",
        "peak_rss_mb",
        "speedup_2_workers",
        "group_10k_ms",
        "closure_mib",
        "yardstick_spread",
    ]
    assert all(figures[name] > 0 for name in figures.keys() - {"yardstick_spread", "closure_mib"})
    # Against gzip; a tar is larger, and by more than its headers.
    assert (figures["bytes_ratio"] > 1.2) == (kind == "none")
    assert capsys.readouterr().out.startswith("git: ")


def test_grouping_uses_the_tables():
    """Half of the paths are in units of four; of the others, some come with one package alone."""
    tables = make_tables(400)
    known = {name for unit in tables.units.units for name in unit}
    plan = group(make_closure(400), tables, 94, "units")
    together = [layer for layer in plan.layers[:-1] if layer.why == "together"]
    of_units = [layer for layer in together if known & {names.name(path) for path in layer.paths}]
    assert len(plan.layers) == 94
    assert 0 < len(of_units) < len(together)
    assert {len(layer.paths) for layer in of_units} == {4}

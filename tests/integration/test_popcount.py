"""Counting store paths that a real Nix has."""

from functools import partial

import pytest
from anyio.to_thread import run_sync
from click.testing import CliRunner
from support.tiny_set import request, source_of

from nixery.cli.popcount import popcount
from nixery.layers.tables import parse_popularity, parse_units

pytestmark = [pytest.mark.anyio, pytest.mark.nix]


async def test_a_closure_of_this_store_is_counted(
    nix, nix_environment, tiny, tmp_path, monkeypatch
):
    packages = await nix.evaluate(source_of(tiny), request("git", "curl"))
    await nix.realise(packages, tmp_path / "root")
    for name, value in nix_environment.items():
        monkeypatch.setenv(name, value)
    paths = [path for package in packages for path in package.paths]
    run = partial(CliRunner().invoke, popcount, ["store", *paths, "-o", str(tmp_path)])
    result = await run_sync(run)
    assert result.exit_code == 0, result.output
    assert parse_popularity((tmp_path / "popularity.json").read_bytes()).counts
    units = parse_units((tmp_path / "units.json").read_bytes()).units
    assert "git" in {name for unit in units for name in unit}

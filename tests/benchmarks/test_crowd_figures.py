"""The benchmark of pulls during attacks, with small crowds: its figures are there."""

import pytest
from support.tiny_set import NIX_CONF_DIR

from benchmarks import crowd
from benchmarks.attacks import STILL_WAITING

pytestmark = pytest.mark.nix

CROWDS = {
    "slow": ("slow", "20"),
    "names": ("names", str(STILL_WAITING + 20)),
    "refused": ("image", "no-such-package"),
}


def test_pulls_during_attacks_are_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NIX_CONF_DIR", str(NIX_CONF_DIR))
    figures = crowd.measure(CROWDS, 20, tmp_path)
    assert figures["lost"] == 0
    assert {figure for figure in figures if figure.startswith("slow")} == {
        "slow_p50_ratio",
        "slow_p99_ratio",
        "slow_p99_ms",
    }
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[1:]] == ["alone", *CROWDS, "alone"]
    assert rows[4].endswith('{"404": 1}')

"""The benchmark of counting a channel, on a small one: it prints all figures."""

import json
import sys
from collections import Counter
from pathlib import Path

from benchmarks import popcount


def test_counting_a_channel_is_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    figures = popcount.measure(200, 1, tmp_path)
    assert list(json.loads(json.dumps(figures))) == [
        "popcount_100k_s",
        "count_100k_s",
        "count_100k_ratio",
        "peak_rss_mb",
        "yardstick_mb",
        "closure",
        "yardstick_spread",
    ]
    assert all(figures[name] for name in figures.keys() - {"yardstick_spread"})
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_channel_is_like_one():
    """Some are referred to by many, most by few; and it is the same whenever it is made."""
    graph = popcount.make_channel(2_000)
    assert graph == popcount.make_channel(2_000)
    referred_to = Counter(to for info in graph.paths for to in info.references)
    ((_, most),) = referred_to.most_common(1)
    assert most > 20 * referred_to.total() / len(graph.paths)

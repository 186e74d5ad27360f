"""A channel of thousands, through everything that a cache and its network do meanwhile."""

import json
from collections import Counter
from random import Random

import pytest
from click.testing import CliRunner
from support.popcount.cache_server import CacheServer, store_path

from nixery.cli.popcount import popcount
from nixery.closure import PathInfo
from nixery.layers.names import name
from nixery.layers.tables import parse_popularity
from nixery.popcount.channel import graph
from nixery.popcount.journal import Journal

PATHS = {False: 1_000, True: 5_000}
"""In the sample, and in full."""
CONNECTIONS = 16
BUSY, BROKEN, GONE = [503], [500], [None]
"""A cache's first answers: try again, the end of a run, and no answer at all."""


@pytest.fixture
def packages(full):
    """Store path → (size, references), each to up to six of those before it."""
    random = Random(1)
    paths = [store_path(n, f"package{n}-1.0") for n in range(PATHS[full])]
    return {
        path: (n, random.sample(paths[:n], min(n, random.randrange(7))))
        for n, path in enumerate(paths)
    }


@pytest.fixture
def server(packages):
    served = CacheServer(packages)
    pages = [page for page in served.pages if page.endswith(".narinfo")]
    for first, faults in ((3, BUSY), (5, GONE)):
        served.failing |= {page: list(faults) for page in pages[first::10]}
    served.failing |= {page: list(BROKEN) for page in pages[125::250]}
    with served.running():
        yield served


def test_runs_that_fail_go_on_where_they_were(server, packages, tmp_path, record_property):
    (tmp_path / "start").write_text("package10")
    journal = tmp_path / "narinfo.jsonl"
    command = [
        *("channel", f"{server.url}/channel", "--output", str(tmp_path)),
        *("--connections", str(CONNECTIONS), "--start", str(tmp_path / "start")),
    ]
    known, runs, asked = set(), 0, 0
    while True:
        server.asked.clear()
        result = CliRunner().invoke(popcount, command)
        runs += 1
        pages = {page for page in server.asked if page.endswith(".narinfo")}
        asked += len(pages)
        assert not {page[7:39] for page in pages} & known
        known = {json.loads(line)[0][11:43] for line in journal.read_text().splitlines()}
        if result.exit_code == 0:
            break
        assert "the response is 500" in result.output
    record_property("answers", len(known))
    record_property("runs", runs)
    assert 2 <= runs <= 1 + len(packages) // 250
    # Only requests in progress are lost when a run ends.
    assert asked <= len(packages) + 2 * CONNECTIONS * (runs - 1)
    counted = parse_popularity((tmp_path / "popularity.json").read_bytes())
    assert counted.counts == Counter(name(to) for _, refs in packages.values() for to in refs)


class Counted(dict):
    """Records how often its contents are requested."""

    asked = 0

    def __contains__(self, key):
        self.asked += 1
        return super().__contains__(key)


def test_no_answer_is_looked_at_again_for_each_that_refers_to_it(tmp_path):
    """A chain: what each refers to is all before it."""
    paths = [store_path(n, f"package{n}-1.0") for n in range(300)]
    infos = {path: PathInfo(path, 1, tuple(paths[n - 1 : n])) for n, path in enumerate(paths)}
    with Journal(tmp_path / "narinfo.jsonl").opened() as journal:
        journal.known = Counted()
        left = list(graph(paths, infos.get, journal))
    assert left[-1] == 0
    assert journal.known == infos
    assert journal.known.asked <= 2 * len(paths)

"""Counting a channel, against a cache that the test serves."""

import json
import lzma

import pytest
from click.testing import CliRunner
from support.popcount.cache_server import CacheServer, narinfo, store_path

from nixery.cli.popcount import popcount
from nixery.layers.tables import parse_popularity, parse_units
from nixery.tables.files import recognise

GLIBC = store_path(1, "glibc-2.38-44")
ZLIB = store_path(2, "zlib-1.3")
GIT = store_path(3, "git-2.42.0")
CURL = store_path(4, "curl-8.4.0-bin")
HIDDEN = store_path(5, "hidden-1.0")
GLIBC_PAGE = f"/cache/{'1'.rjust(32, '0')}.narinfo"
PACKAGES = {
    GLIBC: (40, [GLIBC]),
    ZLIB: (1, [GLIBC]),
    GIT: (30, [ZLIB, GLIBC, HIDDEN]),
    CURL: (2, [ZLIB, GLIBC]),
    HIDDEN: (3, []),
}


@pytest.fixture
def server():
    served = CacheServer(PACKAGES)
    # What others refer to need not be listed.
    served.list([GLIBC, ZLIB, GIT, CURL])
    with served.running():
        yield served


@pytest.fixture
def count(server, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(
            popcount, ["channel", f"{server.url}/channel", "-o", str(tmp_path), *arguments]
        )

    return run


def asked_for(server):
    return sum(times for page, times in server.asked.items() if page.endswith(".narinfo"))


def test_it_writes_what_nixery_tables_publishes(count, tmp_path):
    result = count()
    assert result.exit_code == 0, result.output
    for kind in ("popularity", "units", "start"):
        data = (tmp_path / f"{kind}.json").read_bytes()
        assert recognise(data) == (kind, data)
    popularity = parse_popularity((tmp_path / "popularity.json").read_bytes())
    assert popularity.counts == {"glibc": 3, "zlib": 2, "hidden": 1}
    units = parse_units((tmp_path / "units.json").read_bytes())
    assert {name for unit in units.units for name in unit} == {
        "glibc",
        "zlib",
        "git",
        "curl-bin",
        "hidden",
    }
    assert "5 store paths, 3 of them referred to" in result.output


def test_run_again_it_asks_for_nothing_and_writes_the_same(count, server, tmp_path):
    count()
    before = asked_for(server), (tmp_path / "units.json").read_bytes()
    assert count().exit_code == 0
    assert (asked_for(server), (tmp_path / "units.json").read_bytes()) == before


def test_an_interrupted_run_goes_on_where_it_was(count, server, tmp_path):
    page = f"/cache/{'5'.rjust(32, '0')}.narinfo"
    server.failing[page] = [500]
    result = count("--connections", "1")
    assert result.exit_code == 1
    assert "the response is 500" in result.output
    lines = (tmp_path / "narinfo.jsonl").read_text().splitlines()
    known = {json.loads(line)[0] for line in lines}
    assert known
    assert HIDDEN not in known
    # A run that was killed leaves half a line.
    (tmp_path / "narinfo.jsonl").write_text("\n".join([*lines, '["/nix/st']))
    server.asked.clear()
    assert count().exit_code == 0
    assert asked_for(server) == len(PACKAGES) - len(known)
    server.asked.clear()
    assert count().exit_code == 0
    assert asked_for(server) == 0


def test_a_wrong_cache_does_not_affect_the_right_one(count, server, tmp_path):
    """It has none of the paths; on the next request, the right one has all of them."""
    result = count("--cache", f"{server.url}/elsewhere")
    assert result.exit_code == 1
    assert (
        f"{server.url}/elsewhere has no store path that {server.url}/channel lists" in result.output
    )
    assert not (tmp_path / "units.json").exists()
    result = count()
    assert result.exit_code == 0
    assert "skipped" not in result.output


def test_what_takes_long_shows_how_far_it_is(count, monkeypatch):
    monkeypatch.setattr("click._termui_impl.isatty", lambda _: True)
    result = count()
    for what in ("store paths", "units"):
        bars = [line for line in result.stderr.splitlines() if what in line and "%" in line]
        assert "100%" in bars[-1]


def test_a_cache_that_is_busy_is_asked_again(count, server):
    server.failing[f"/cache/{'1'.rjust(32, '0')}.narinfo"] = [503]
    assert count().exit_code == 0


def test_missing_paths_are_skipped_and_counted(count, server):
    del server.pages[f"/cache/{'5'.rjust(32, '0')}.narinfo"]
    result = count()
    assert result.exit_code == 0
    assert "1 store paths are not in" in result.output


def test_what_people_pull_most_can_be_named(count, tmp_path):
    (tmp_path / "start").write_text("# our list\ncurl-8.4.0-bin # most of all\n")
    result = count("--start", str(tmp_path / "start"))
    assert result.exit_code == 0, result.output
    names = {n for unit in parse_units((tmp_path / "units.json").read_bytes()).units for n in unit}
    assert names == {"curl-bin", "zlib", "glibc"}


def test_a_name_that_the_set_does_not_have_is_wrong_use(count, tmp_path):
    (tmp_path / "start").write_text("git nonesuch\n")
    result = count("--start", str(tmp_path / "start"))
    assert result.exit_code == 2
    assert "has no nonesuch" in result.output


def test_an_unlisted_name_is_reported_first(count, tmp_path):
    """It may be a mistake, or what others refer to: hidden is."""
    (tmp_path / "start").write_text("git hidden\n")
    result = count("--start", str(tmp_path / "start"))
    assert result.exit_code == 0, result.output
    assert "does not list hidden;" in result.stderr.splitlines()[0]


def test_a_binary_list_is_wrong_usage(count, tmp_path):
    (tmp_path / "start").write_bytes(b"\xff\xfe")
    result = count("--start", str(tmp_path / "start"))
    assert result.exit_code == 2
    assert "start cannot be read" in result.output


@pytest.mark.parametrize("address", ["nixos-unstable", "https://a b", "https://a\nb"])
def test_urls_without_http_are_refused(address):
    result = CliRunner().invoke(popcount, ["channel", address])
    assert result.exit_code == 1
    assert "must start with http:// or https://" in result.output
    assert len(result.output.splitlines()) == 1


def test_all_tables_are_written_or_none(count, tmp_path):
    """The last of them cannot be written."""
    (tmp_path / "start.json.part").mkdir()
    result = count()
    assert result.exit_code == 1
    assert f"cannot write to {tmp_path}" in result.output
    assert not {"popularity.json", "units.json"} & {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("page", "content", "message"),
    [
        ("/channel/store-paths.xz", b"not xz", "cannot be read"),
        ("/channel/store-paths.xz", None, "does not exist: is it the URL"),
        ("/channel/store-paths.xz", lzma.compress(b"\n"), "lists no store path"),
        ("/channel/binary-cache-url", b"https://\xff", "name the cache with --cache"),
        (GLIBC_PAGE, b"<html>", "not a narinfo"),
        (GLIBC_PAGE, b"StorePath: /x\nNarSize: 1", "not a narinfo"),
        (GLIBC_PAGE, b"StorePath: \xff", "narinfo"),
        *(
            (GLIBC_PAGE, narinfo(GLIBC, size, []).encode(), "not a narinfo: NarSize is")
            for size in (-1, "", "1_0", 1 << 63, "9" * 400, "9" * 5000)
        ),
    ],
)
def test_an_invalid_channel_is_one_line(count, server, page, content, message):
    if content is None:
        del server.pages[page]
    else:
        server.pages[page] = content
    result = count()
    assert result.exit_code == 1
    assert message in result.output
    assert isinstance(result.exception, SystemExit)
    assert set(result.stderr.splitlines()[:-1]) <= {"store paths"}
    assert result.stderr.splitlines()[-1].startswith("nixery: ")
    assert len(result.stderr) < 1000


def test_a_size_beyond_all_numbers_is_not_kept(count, server, tmp_path):
    """Otherwise the next run would fail without a request."""
    right = server.pages[GLIBC_PAGE]
    server.pages[GLIBC_PAGE] = narinfo(GLIBC, "9" * 400, []).encode()
    assert count().exit_code == 1
    lines = (tmp_path / "narinfo.jsonl").read_text().splitlines()
    assert GLIBC not in {json.loads(line)[0] for line in lines}
    server.pages[GLIBC_PAGE] = right
    assert count().exit_code == 0


def test_a_cache_that_is_given_need_not_be_named(count, server):
    server.pages["/channel/binary-cache-url"] = b"https://\xff"
    assert count("--cache", f"{server.url}/cache").exit_code == 0


def test_the_largest_size_is_taken(count, server):
    server.pages[GLIBC_PAGE] = narinfo(GLIBC, (1 << 63) - 1, []).encode()
    assert count().exit_code == 0


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'["%s", 1, ["\xff"]]', id="not UTF-8"),
        pytest.param(b"[" * 200_000, id="too deep"),
        pytest.param(b'["%s", 1, [["x"]]]', id="no reference"),
        pytest.param(b'["%s", 1, ["\\ud800"]]', id="no text"),
        pytest.param(b'["%s", 9223372036854775808, []]', id="beyond all sizes"),
        pytest.param(b'["%s", -1, []]', id="below all sizes"),
        pytest.param(b'["%s", ' + b"9" * 5000 + b", []]", id="beyond all numbers"),
    ],
)
def test_a_damaged_answer_is_requested_again(count, server, tmp_path, line):
    """Only that one."""
    assert count().exit_code == 0
    units = (tmp_path / "units.json").read_bytes()
    journal = tmp_path / "narinfo.jsonl"
    good = [line for line in journal.read_bytes().splitlines() if GLIBC.encode() not in line[:90]]
    assert len(good) == len(PACKAGES) - 1
    journal.write_bytes(b"\n".join([line.replace(b"%s", GLIBC.encode()), *good, b""]))
    server.asked.clear()
    result = count()
    assert result.exit_code == 0, result.output
    assert asked_for(server) == server.asked[GLIBC_PAGE] == 1
    assert (tmp_path / "units.json").read_bytes() == units

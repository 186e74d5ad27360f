"""`nixery tables`: the current tables, and how tables are published."""

import json
import os

import pytest
from click.testing import CliRunner
from support.tables.tools import asked

from nixery.cli import main
from nixery.layers.tables import Units, encode_units, version
from nixery.learning.requested_images import RequestedImages
from nixery.storage.filesystem import FilesystemStorage
from nixery.tables import files
from nixery.tables.files import recognise
from nixery.tables.published import Published
from nixery.tables.request_record import encode

UNITS = encode_units(Units((("git", "pcre2"),), {}))
START = encode(asked("git"))


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "storage").mkdir()
    return tmp_path / "storage"


@pytest.fixture
def nixery(directory):
    def run(*arguments, code=0, **environ):
        settings = {"NIXERY_STORAGE_BACKEND": "filesystem", "STORAGE_PATH": str(directory)}
        result = CliRunner().invoke(main, ["tables", *arguments], env=settings | environ)
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.stderr

    return run


@pytest.fixture
def file(tmp_path):
    def make(name, data):
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return make


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (UNITS, "units"),
        (START, "start"),
        (b'{"glibc": 1}', "popularity"),
        (b"{}", "popularity"),
        (b'{"format": 1}', "popularity"),  # a package may be called so
    ],
)
def test_a_file_is_recognised_by_its_content(data, kind):
    assert recognise(data)[0] == kind


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a": "b"}', b'{"\\ud800": 1}', b"\xff"])
def test_invalid_tables(data):
    assert recognise(data) is None


def test_how_it_is_written_does_not_matter():
    """Equal knowledge has one version."""
    assert recognise(json.dumps(json.loads(UNITS), indent=4).encode()) == ("units", UNITS)


def test_nothing_is_current_at_first(nixery):
    assert [line.split() for line in nixery().splitlines()] == [
        [kind, "none"] for kind in ("popularity", "units", "start")
    ]


def test_a_published_table_is_current(nixery, file, directory):
    said = nixery("publish", file("a.json", UNITS), file("b.json", START))
    assert said == f"units {version(UNITS)}\nstart {version(START)}\n"
    published = Published(FilesystemStorage(directory))
    assert published.read("units", published.current("units").version) == UNITS
    assert f"units       {version(UNITS)}" in nixery()
    assert json.loads(nixery("--json"))["units"] | {"since": None} == {
        "version": version(UNITS),
        "size": len(UNITS),
        "since": None,
        "others": [],
    }


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ([b"rubbish"], "is not a table of nixery popcount"),
        ([UNITS, b"rubbish"], "is not a table of nixery popcount"),
        ([UNITS, UNITS], "second table of kind units"),
    ],
)
def test_a_mistake_publishes_nothing(nixery, file, tables, said):
    names = [file(f"{n}.json", data) for n, data in enumerate(tables)]
    assert said in nixery("publish", *names, code=2)
    assert json.loads(nixery("--json"))["units"]["version"] is None


def test_superseded_tables_are_listed_with_all(nixery, file):
    other = encode_units(Units((("curl",),), {}))
    nixery("publish", file("a.json", UNITS))
    nixery("publish", file("b.json", other))
    assert version(UNITS) not in nixery()
    rows = [line.split() for line in nixery("--all").splitlines()]
    assert [row[:2] for row in rows] == [
        ["popularity", "none"],
        ["units", version(other)],
        [version(UNITS), str(len(UNITS))],
        ["start", "none"],
    ]
    (kept,) = json.loads(nixery("--json"))["units"]["others"]
    assert kept | {"stored": None} == {
        "version": version(UNITS),
        "size": len(UNITS),
        "stored": None,
    }


def test_other_objects_are_not_listed(nixery, directory):
    """Anybody who may write to a bucket could forge a line, or control a terminal."""
    (directory / "tables/units" / version(b"a")).mkdir(parents=True)
    (directory / "tables/units" / version(b"a") / version(b"b")).write_text("deeper")
    (directory / "tables/units/\x1b[2J").write_text("a command")
    assert json.loads(nixery("--json"))["units"]["others"] == []


def test_what_was_stored_last_is_listed_first(nixery, file, directory):
    tables = [encode_units(Units(((name,),), {})) for name in ("git", "curl", "htop")]
    for n, data in enumerate(tables):
        nixery("publish", file("a.json", data))
        os.utime(directory / "tables/units" / version(data), (n, n))
    others = json.loads(nixery("--json"))["units"]["others"]
    assert [kept["version"] for kept in others] == [version(tables[1]), version(tables[0])]


def test_an_older_table_is_restored(nixery, file, directory):
    nixery("publish", file("a.json", UNITS), file("s.json", START))
    nixery("publish", file("b.json", encode_units(Units((("curl",),), {}))))
    assert nixery("restore", version(UNITS)) == f"units {version(UNITS)}\n"
    published = Published(FilesystemStorage(directory))
    assert published.current("units").version == version(UNITS)
    assert published.current("start").version == version(START)


@pytest.mark.parametrize("unknown", [version(b"nonesuch"), "current", ".", "../../layers", ""])
def test_only_stored_tables_are_restored(nixery, file, unknown):
    nixery("publish", file("a.json", UNITS))
    assert "nixery tables --all" in nixery("restore", unknown, code=2)
    assert json.loads(nixery("--json"))["units"]["version"] == version(UNITS)


def test_a_file_that_is_not_there(nixery):
    assert "cannot read /nonesuch" in nixery("publish", "/nonesuch", code=2)


def test_publishing_at_the_same_time_is_reported(nixery, file, monkeypatch):
    def lose(self, kind, *_):
        self._storage.write("tables/units/" + version(b"other"), b"other")
        pointer = json.dumps({"version": version(b"other")}).encode()
        self._storage.write("tables/units/current", pointer)
        return self.current(kind)

    monkeypatch.setattr(files.Published, "publish", lose)
    assert "try again" in nixery("publish", file("a.json", UNITS), code=1)


def test_learning_by_hand(nixery, directory):
    images = RequestedImages(FilesystemStorage(directory), lambda work: work())
    for n, names in enumerate([("git", "curl"), ("git", "python3"), ("curl", "python3")]):
        images.note(f"{n:064x}", asked(*names), [])
    said = nixery("learn", NIXERY_LAYER_BUDGET="3")
    counts = json.loads(nixery("--json"))["units"]["version"]
    assert said == f"units {counts}, learned from 3 images\n"
    assert "no table learned from 3 images saves enough" in nixery("learn", NIXERY_LAYER_BUDGET="3")


def test_what_was_never_made_is_not_learned(nixery):
    assert "from 0 images" in nixery("learn")

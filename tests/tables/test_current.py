"""The tables of the next plan."""

import pytest
from structlog.testing import capture_logs

from nixery.layers import EMPTY
from nixery.layers.tables import Popularity, Units, encode_popularity, encode_units, version
from nixery.tables.current import CurrentTables
from nixery.tables.published import Published

UNITS = Units((("git", "pcre2"),), {})
POPULARITY = Popularity({"glibc": 9000})


def publish(storage, kind, data):
    published = Published(storage)
    return published.publish(kind, data, published.current(kind)).version


@pytest.fixture
def both(storage):
    return CurrentTables(Published(storage), ["popularity", "units"])


def test_where_nothing_is_published_tables_are_empty(both):
    assert both.load() == (EMPTY, {})


def test_a_new_table_is_seen_at_the_next_look(both, storage):
    units = publish(storage, "units", encode_units(UNITS))
    popularity = publish(storage, "popularity", encode_popularity(POPULARITY))
    tables, versions = both.load()
    assert (tables.units, tables.popularity) == (UNITS, POPULARITY)
    assert versions == {"units": units, "popularity": popularity}
    publish(storage, "units", encode_units(EMPTY.units))
    assert both.load()[0].units == EMPTY.units


def test_only_the_strategys_own_tables_are_looked_at(storage):
    publish(storage, "popularity", encode_popularity(POPULARITY))
    units = publish(storage, "units", encode_units(UNITS))
    tables, versions = CurrentTables(Published(storage), ["units"]).load()
    assert (tables.popularity, versions) == (EMPTY.popularity, {"units": units})


def test_a_table_is_parsed_once(both, storage):
    publish(storage, "units", encode_units(UNITS))
    assert both.load()[0].units is both.load()[0].units


@pytest.mark.parametrize("data", [b"{}", b"rubbish", None])
def test_an_unreadable_table_is_empty_and_logged_once(both, storage, data):
    key = f"tables/units/{publish(storage, 'units', data or b'lost')}"
    if data is None:
        del storage.objects[key]
    with capture_logs() as logs:
        assert [both.load(), both.load()] == [(EMPTY, {})] * 2
    assert [entry["event"] for entry in logs] == ["table is unreadable and treated as empty"]


def test_a_lost_table_is_used_again_once_it_is_published(both, storage):
    """Also for a server that missed it meanwhile."""
    units = publish(storage, "units", encode_units(UNITS))
    del storage.objects[f"tables/units/{units}"]
    assert both.load() == (EMPTY, {})
    publish(storage, "units", encode_units(UNITS))
    assert both.load()[0].units == UNITS


def test_an_older_version_can_be_had(both, storage):
    old = publish(storage, "units", encode_units(UNITS))
    publish(storage, "units", encode_units(EMPTY.units))
    assert both.load_versions({"units": old})[0].units == UNITS
    assert version(encode_units(UNITS)) == old

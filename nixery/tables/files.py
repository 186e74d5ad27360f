"""Tables in files: ``nixery popcount`` writes them, ``nixery tables publish`` reads them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from nixery.errors import ConfigurationError, NixeryError
from nixery.layers.tables import encode_popularity, encode_units, parse_popularity, parse_units
from nixery.storage import Storage
from nixery.tables.published import Pointer, Published, TableKind
from nixery.tables.request_record import decode, encode


def recognise(data: bytes) -> tuple[TableKind, bytes] | None:
    """The kind of a table with its canonical form; None if it is not a table."""
    if units := parse_units(data):
        return "units", encode_units(units)
    if start := decode(data):
        return "start", encode(start[0])
    if (popularity := parse_popularity(data)) is not None:
        return "popularity", encode_popularity(popularity)
    return None


def publish(storage: Storage, files: Iterable[Path]) -> Mapping[TableKind, Pointer]:
    """Publishes the files, and returns what is current then. Reads all files first.

    Raises ConfigurationError if a file is unreadable or not a table, or if two have one kind;
    NixeryError if another process published at the same time.
    """
    tables: dict[TableKind, bytes] = {}
    for file in files:
        try:
            found = recognise(file.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
        if found is None:
            raise ConfigurationError(
                f"{file} is not a table of nixery popcount: expected "
                "popularity.json, units.json or start.json"
            )
        kind, data = found
        if kind in tables:
            raise ConfigurationError(
                f"{file} is a second table of kind {kind}: give one of each kind"
            )
        tables[kind] = data
    return {kind: make_current(Published(storage), kind, data) for kind, data in tables.items()}


def make_current(published: Published, kind: TableKind, data: bytes) -> Pointer:
    """Raises NixeryError if another process published at the same time."""
    before = published.current(kind)
    after = published.publish(kind, data, before)
    if published.read(kind, after.version or "") != data:
        raise NixeryError(f"another {kind} table was published at the same time; try again")
    return after

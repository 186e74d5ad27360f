"""Tables in files: what ``nixery popcount`` writes, and ``nixery tables publish`` reads."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from nixery.errors import ConfigurationError, NixeryError
from nixery.layers.tables import encode_popularity, encode_units, parse_popularity, parse_units
from nixery.storage import Storage
from nixery.tables.published import Pointer, Published, TableKind
from nixery.tables.request_record import decode, encode


def recognise(data: bytes) -> tuple[TableKind, bytes] | None:
    """What kind of table it is, with its canonical form; None for what is none."""
    if units := parse_units(data):
        return "units", encode_units(units)
    if start := decode(data):
        return "start", encode(start[0])
    if (popularity := parse_popularity(data)) is not None:
        return "popularity", encode_popularity(popularity)
    return None


def publish(storage: Storage, files: Iterable[Path]) -> Mapping[TableKind, Pointer]:
    """What is current then, of each kind. All files are read before anything is written.

    Raises ConfigurationError for a file that cannot be read or is no table, and where there are
    two of one kind; NixeryError where somebody else published in the same moment.
    """
    tables: dict[TableKind, bytes] = {}
    for file in files:
        try:
            found = recognise(file.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
        if found is None:
            raise ConfigurationError(
                f"{file} is none of the tables that nixery popcount makes: "
                "popularity.json, units.json, start.json"
            )
        kind, data = found
        if kind in tables:
            raise ConfigurationError(f"{file} is a second table of {kind}; one of each can count")
        tables[kind] = data
    return {kind: make_current(Published(storage), kind, data) for kind, data in tables.items()}


def make_current(published: Published, kind: TableKind, data: bytes) -> Pointer:
    """Raises NixeryError where somebody else published in the same moment."""
    before = published.current(kind)
    after = published.publish(kind, data, before)
    if published.read(kind, after.version or "") != data:
        raise NixeryError(f"another table of {kind} was published in this moment; try again")
    return after

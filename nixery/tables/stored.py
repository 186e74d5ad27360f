"""The tables of a storage: the current ones, and older ones that can be restored.

gc keeps current tables and those that a plan names, and previous ones for another day.
"""

from datetime import UTC, datetime
from typing import TypedDict

from nixery.errors import ConfigurationError
from nixery.records import is_hex_key
from nixery.storage import Stat, Storage
from nixery.tables.files import make_current
from nixery.tables.published import TABLE_KINDS, Published, TableKind, table_key


class StoredTable(TypedDict):
    version: str
    size: int
    """Bytes."""
    stored: str


class StoredKind(TypedDict):
    version: str | None
    """Version of the current table; None if there is none."""
    size: int
    since: str | None
    """When it became current."""
    others: list[StoredTable]
    """Other tables, the last stored first."""


def tables(storage: Storage) -> dict[TableKind, StoredKind]:
    """By kind."""
    return {kind: _entry(storage, kind) for kind in TABLE_KINDS}


def text(found: dict[TableKind, StoredKind], *, every: bool) -> str:
    """One table per line; ``every``: also those that are not current."""
    lines: list[str] = []
    for kind, entry in found.items():
        if entry["version"]:
            lines.append(_line(kind, entry["version"], entry["size"], f"since {entry['since']}"))
        else:
            lines.append(f"{kind:<11} none")
        if every:
            lines += [
                _line("", kept["version"], kept["size"], f"stored {kept['stored']}")
                for kept in entry["others"]
            ]
    return "\n".join(lines)


def restore(storage: Storage, version: str) -> TableKind:
    """Makes a stored table the current one of its kind.

    Raises ConfigurationError if it does not exist, NixeryError if another process published at the
    same time.
    """
    published = Published(storage)
    for kind in TABLE_KINDS:
        if data := published.read(kind, version):
            make_current(published, kind, data)
            return kind
    raise ConfigurationError(
        f"this storage has no table {version}: nixery tables --all lists the versions"
    )


def _entry(storage: Storage, kind: TableKind) -> StoredKind:
    pointer = Published(storage).current(kind)
    there = {stat.key: stat for stat in storage.list(f"tables/{kind}/")}
    current = there.pop(table_key(kind, pointer.version), None) if pointer.version else None
    others = [(stat.key.removeprefix(table_key(kind, "")), stat) for stat in there.values()]
    return {
        "version": pointer.version if current else None,
        "size": current.size if current else 0,
        "since": _time(pointer.seen) if current and pointer.seen else None,
        "others": [
            {"version": version, "size": stat.size, "stored": _time(stat)}
            for version, stat in sorted(others, key=lambda other: (-other[1].modified, other[0]))
            if is_hex_key(version)
        ],
    }


def _line(kind: str, version: str, size: int, when: str) -> str:
    return f"{kind:<11} {version}  {size:>9,} bytes, {when}"


def _time(stat: Stat) -> str:
    return f"{datetime.fromtimestamp(stat.modified, UTC):%Y-%m-%d %H:%M} UTC"

"""The tables that a storage keeps: what counts now, and what still lies there from before.

gc keeps a table as long as it counts or a plan names it, and what counted before for a day more.
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
    """Of the table that counts; None where there is none."""
    size: int
    since: str | None
    """When it became current."""
    others: list[StoredTable]
    """Those that do not count, what was stored last first."""


def tables(storage: Storage) -> dict[TableKind, StoredKind]:
    """By kind."""
    return {kind: _entry(storage, kind) for kind in TABLE_KINDS}


def text(found: dict[TableKind, StoredKind], *, every: bool) -> str:
    """One table a line; ``every``: also those that do not count."""
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
    """Makes a table that the storage keeps the current one of its kind.

    Raises ConfigurationError where there is none; NixeryError where somebody else published in the
    same moment.
    """
    published = Published(storage)
    for kind in TABLE_KINDS:
        if data := published.read(kind, version):
            make_current(published, kind, data)
            return kind
    raise ConfigurationError(
        f"there is no table {version} in this storage; nixery tables --all shows what is there"
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

"""Spool: data of packing on disk, so that memory does not grow with the number of files.

    Names    the names of large directories, returned in order
    Firsts   the first file with each content, if there are many

Each is an SQLite database in an unlinked file, which disappears when it is closed or the process
ends. So it needs no journal and no sync. Raises StorageFull if the disk is full, StorageUnavailable
if it cannot be used.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from nixery.concurrency.threads import stop_if_cancelled
from nixery.errors import StorageFull, StorageUnavailable
from nixery.storage.durable import translated_errors

CACHE = 1 << 20
"""Bytes of a database in memory."""
PAGE = 250
"""Names read at once, for each directory on the way to the current one."""
MAX_FIRSTS = 10_000
"""Contents in memory; if there are more, all are moved to disk."""

Value = bytes | int


class Names:
    """Names of directories, which are numbered from 1 in the order of ``add``."""

    def __init__(self, scratch: Path | None) -> None:
        """``scratch``: see ``_Table``."""
        self._table = _Table(
            scratch, "(directory INTEGER, name BLOB, PRIMARY KEY (directory, name)) WITHOUT ROWID"
        )
        self._directories = 0

    def add(self, parts: Iterable[Sequence[bytes]]) -> int:
        """Number of the new directory, whose names come in these parts, sorted or not."""
        self._directories += 1
        for part in parts:
            # A name may come twice if the directory changes meanwhile.
            rows = ((self._directories, name) for name in sorted(part))
            self._table.fill("INSERT OR IGNORE INTO kept VALUES (?, ?)", rows)
        return self._directories

    def of(self, directory: int) -> Iterator[bytes]:
        """The names, sorted by bytes."""
        page, last = [b""], b""
        while page:
            stop_if_cancelled()
            found = self._table.ask(
                "SELECT name FROM kept WHERE directory = ? AND name > ? ORDER BY name LIMIT ?",
                *(directory, last, PAGE),
            )
            page = [name for (name,) in found]
            yield from page
            last = page[-1] if page else last

    def close(self) -> None:
        self._table.close()


class Firsts:
    """The first name given for each key; in memory until there are many."""

    def __init__(self, scratch: Path | None, most: int) -> None:
        """``most``: after this number of further names for a key, the next one is first again."""
        self._most = most
        self._held: dict[bytes, tuple[bytes, int]] = {}
        self._table: _Table | None = None
        self._scratch = scratch

    def claim(self, key: bytes, name: bytes) -> bytes | None:
        """The first name for the key; None if it is this one."""
        if self._table is not None:
            return self._claim_on_disk(self._table, key, name)
        if key not in self._held:
            self._held[key] = name, 0
            if len(self._held) > MAX_FIRSTS:
                self._spill()
            return None
        first, count = self._held.pop(key)
        if count + 1 < self._most:
            self._held[key] = first, count + 1
        return first

    def _claim_on_disk(self, table: "_Table", key: bytes, name: bytes) -> bytes | None:
        ((first, count),) = table.ask(
            "INSERT INTO kept VALUES (?, ?, 0) ON CONFLICT (key) "
            "DO UPDATE SET count = count + 1 RETURNING name, count",
            *(key, name),
        )
        if count == self._most:
            table.ask("DELETE FROM kept WHERE key = ?", key)
        return first if count else None

    def _spill(self) -> None:
        self._table = _Table(
            self._scratch, "(key BLOB PRIMARY KEY, name BLOB, count INTEGER) WITHOUT ROWID"
        )
        rows = ((key, *value) for key, value in sorted(self._held.items()))
        self._table.fill("INSERT INTO kept VALUES (?, ?, ?)", rows)
        self._held = {}

    def close(self) -> None:
        if self._table is not None:
            self._table.close()


class _Table:
    """The table ``kept`` of a database that is created when it is first used."""

    def __init__(self, scratch: Path | None, columns: str) -> None:
        """``scratch``: its directory, created if it is missing; None: the system's."""
        self._scratch = scratch
        self._columns = columns
        self._connection: sqlite3.Connection | None = None

    def fill(self, statement: str, rows: Iterable[Sequence[Value]]) -> None:
        """Executes a statement once per row."""
        with _translated_errors():
            self._opened().executemany(statement, rows)

    def ask(self, statement: str, *values: Value) -> list[Any]:
        """The resulting rows."""
        with _translated_errors():
            return self._opened().execute(statement, values).fetchall()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _open(self._scratch)
            # Never committed: a transaction for each row would write each row.
            for statement in (*_SETTINGS, f"CREATE TABLE kept {self._columns}", "BEGIN"):
                self._connection.execute(statement)
        return self._connection


_SETTINGS = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA cache_size = -{CACHE >> 10}",
)


def _open(scratch: Path | None) -> sqlite3.Connection:
    """A connection to an unlinked file."""
    with translated_errors():
        if scratch is not None:
            scratch.mkdir(parents=True, exist_ok=True)
        descriptor, path = mkstemp(prefix="packing-", dir=scratch)
        os.close(descriptor)
    try:
        return sqlite3.connect(path, isolation_level=None)
    finally:
        with suppress(OSError):
            Path(path).unlink()


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Like ``nixery.storage.durable``, for errors of a database."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise StorageFull(
                "the registry's disk is full; stored images can still be pulled"
            ) from error
        raise StorageUnavailable(f"the registry's disk cannot be used: {error}") from error

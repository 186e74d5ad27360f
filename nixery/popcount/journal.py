"""Answers kept on disk as they come: one line of JSON each, appended.

A run that was killed may have left half a line; it counts as not answered.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from nixery.closure import PathInfo, StorePath


class Journal:
    """Of one binary cache; what it knows is never asked again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.known: dict[StorePath, PathInfo | None] = {}
        """None for a path that the cache does not have."""

    @contextmanager
    def opened(self) -> Iterator["Journal"]:
        """Raises OSError where the file cannot be read or written."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a+", encoding="utf-8") as lines:
            lines.seek(0)
            whole = True
            for line in lines:
                whole = line.endswith("\n")
                self._read(line)
            if not whole:
                lines.write("\n")
            self._lines: TextIO = lines
            yield self

    def keep(self, path: StorePath, info: PathInfo | None) -> None:
        self.known[path] = info
        entry = [path, info.size, info.references] if info else [path]
        self._lines.write(json.dumps(entry) + "\n")

    def _read(self, line: str) -> None:
        try:
            match json.loads(line):
                case [str(path), int(size), list(references)]:
                    self.known[path] = PathInfo(path, size, tuple(map(str, references)))
                case [str(path)]:
                    self.known[path] = None
        except ValueError:
            pass

"""Journal of answers: one line of JSON each, appended to a file.

A killed run may leave half a line, and a disk may corrupt one; such lines are requested again. So
are paths that a cache did not have: it may have been the wrong cache, or incomplete.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from nixery import records
from nixery.closure import PathInfo, StorePath
from nixery.records import elements, natural, text


class Journal:
    """Known answers are never requested again: a store path is the same in every cache."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.known: dict[StorePath, PathInfo | None] = {}
        """None for a path that the cache did not have in this run."""

    @contextmanager
    def opened(self) -> Iterator["Journal"]:
        """Raises OSError if the file cannot be read or written."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # Store paths are ASCII, so a line that is not UTF-8 is ignored.
        with self._file.open("a+", encoding="utf-8", errors="replace") as lines:
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
        if info:
            self._lines.write(json.dumps([path, info.size, info.references]) + "\n")

    def _read(self, line: str) -> None:
        if info := records.read(line, _info):
            self.known[info.path] = info


def _info(answer: object) -> PathInfo:
    # Raises ValueError for a list of another length.
    path, size, references = elements(answer)
    names = [text(path), *map(text, elements(references))]
    if not all(map(str.isascii, names)):
        raise records.Malformed("store paths are ASCII")
    return PathInfo(names[0], natural(size), tuple(names[1:]))

"""Log of a command's stderr: which lines are logged, and which are kept for the client.

- Of each build's log, and of messages, activities and errors, the first HEAD lines are logged at
  once and the last KEPT_LINES at the end, after a line with the number of skipped lines.
- A command logs at most LOGGED lines, apart from errors.
- With NIXERY_LOG_LEVEL=debug, every line is logged at once.
- Memory depends on the number of concurrent builds, not on their output.
- A line that is neither logged nor kept is not parsed: builders print faster than Python parses
  JSON.
"""

from collections import deque
from dataclasses import dataclass, field

import structlog

from nixery.closure import StorePath
from nixery.logs.setup import logs_everything
from nixery.nix.events import MAX_TEXT, EventReader, Line, LineKind

HEAD = 50
KEPT_LINES = 20  # enough for the end of a compiler's error
KEPT_BUILDS = 20
"""Finished builds that are kept; the failed one is among the last, with concurrent ones."""
LOGGED = 2000

_log = structlog.stdlib.get_logger()


@dataclass(slots=True)
class _Excerpt:
    """Count and last lines of one source."""

    kind: LineKind
    derivation: StorePath | None = None
    logged: int = 0
    unlogged: int = 0
    is_open: bool = True
    """Whether the next line is logged at once."""
    last: deque[Line | str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    """Texts that are not parsed yet are marked."""


@dataclass(slots=True)
class Record:
    """The log of one command: ``note`` takes its lines, ``close`` logs the last ones."""

    reader: EventReader
    errors: list[Line] = field(default_factory=list)
    """The first errors, and the last one."""
    preparation: list[Line] = field(default_factory=list)
    """The first messages before any build was started, and the last of them."""
    claims: deque[Line] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    logger: structlog.stdlib.BoundLogger = field(default_factory=_log.bind)
    """Bound once per command, not for each of 100,000 lines."""
    _everything: bool = field(default_factory=logs_everything)
    _left: int = LOGGED
    _unsaid: int = 0
    """Lines that were skipped because the command's limit was reached."""
    _builds: dict[StorePath, _Excerpt] = field(default_factory=dict)
    """The builds that are running."""
    _ended: deque[list[Line]] = field(default_factory=lambda: deque(maxlen=KEPT_BUILDS))
    _others: dict[LineKind, _Excerpt] = field(default_factory=dict)
    """Lines that are not part of a build's log."""

    @property
    def log(self) -> tuple[Line, ...]:
        """The last lines of each of the last builds, then the last other lines."""
        lines = [line for build in self._ended for line in build]
        for excerpt in (*self._builds.values(), *self._others.values()):
            if excerpt.kind in ("log", "message"):
                lines += self._parsed(excerpt)
        return tuple(lines)

    def note(self, raw: str) -> None:
        if self._is_counted_only(raw):
            return
        line = self.reader.read(raw)
        if line is None:
            return
        if line.kind == "end" and line.derivation:
            self._end(line.derivation)
            return
        if line.kind == "error":
            self.errors[KEPT_LINES - 1 :] = [line]  # the last one is why Nix failed
        elif line.kind == "claim":
            self.claims.append(line)
        elif line.kind == "message" and not self.reader.has_built:
            self.preparation[KEPT_LINES - 1 :] = [line]
        self._take(self._excerpt_of(line), line)

    def close(self) -> None:
        for derivation in list(self._builds):
            self._end(derivation)
        for excerpt in self._others.values():
            self._log_end(excerpt)
        if self._unsaid:
            self._log_left_out(self._unsaid, "log")
            self._unsaid = 0

    def _is_counted_only(self, raw: str) -> bool:
        if self._everything or len(raw) > MAX_TEXT:
            return False
        build = self.reader.build_of(raw)
        excerpt = self._builds.get(build) if build else None
        if excerpt is None or excerpt.is_open:
            return False
        excerpt.unlogged += 1
        excerpt.last.append(raw)
        return True

    def _excerpt_of(self, line: Line) -> _Excerpt:
        if line.kind == "log" and line.derivation:
            new = _Excerpt("log", line.derivation)
            return self._builds.setdefault(line.derivation, new)
        return self._others.setdefault(line.kind, _Excerpt(line.kind))

    def _take(self, excerpt: _Excerpt, line: Line) -> None:
        excerpt.last.append(line)
        excerpt.is_open = excerpt.is_open and self._may_log(excerpt, 1)
        if not excerpt.is_open:
            excerpt.unlogged += 1
            return
        self._log(line)
        excerpt.logged += 1
        excerpt.is_open = self._everything or excerpt.logged < HEAD

    def _end(self, derivation: StorePath) -> None:
        if excerpt := self._builds.pop(derivation, None):
            self._log_end(excerpt)
            self._ended.append(self._parsed(excerpt))

    def _log_end(self, excerpt: _Excerpt) -> None:
        last = self._parsed(excerpt)[-excerpt.unlogged :] if excerpt.unlogged else []
        if not self._may_log(excerpt, len(last) + 1):
            self._unsaid += excerpt.unlogged
        else:
            if left_out := excerpt.unlogged - len(last):
                self._log_left_out(left_out, excerpt.kind, excerpt.derivation)
            for line in last:
                self._log(line)
        excerpt.unlogged = 0

    def _may_log(self, excerpt: _Excerpt, lines: int) -> bool:
        return self._everything or excerpt.kind == "error" or lines <= self._left

    def _parsed(self, excerpt: _Excerpt) -> list[Line]:
        lines = []
        for line in excerpt.last:
            if isinstance(line, Line):
                lines.append(line)
            elif read := self.reader.read(line):
                # If its build has ended, the reader no longer knows it.
                lines.append(Line("log", read.text, "build", excerpt.derivation))
        return lines

    def _log(self, line: Line) -> None:
        self._left -= 1
        log = self.logger.error if line.kind == "error" else self.logger.info
        about = {"derivation": line.derivation} if line.derivation else {}
        log("nix", phase=line.phase, kind=line.kind, line=line.text, **about)

    def _log_left_out(
        self, count: int, kind: LineKind, derivation: StorePath | None = None
    ) -> None:
        phase = "build" if derivation else self.reader.phase
        text = f"{count} lines were skipped here; NIXERY_LOG_LEVEL=debug logs them"
        self._log(Line(kind, text, phase, derivation))

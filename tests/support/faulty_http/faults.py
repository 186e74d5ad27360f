"""Faults of a request."""

import re
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """The server answers with an error and does nothing."""

    code: int
    reason: str = "injected"


@dataclass(frozen=True)
class Reset:
    """The connection breaks after this many bytes of the request's body; what came is known."""

    after: int = 0


@dataclass(frozen=True)
class LoseAnswer:
    """The request takes effect, and the connection breaks before the answer."""


@dataclass(frozen=True)
class Stall:
    """The answer stops after this many bytes of its body, -1: before its headers."""

    after: int = -1


@dataclass(frozen=True)
class Truncate:
    """The connection ends after this many bytes of the answer's body, in good order."""

    after: int


@dataclass(frozen=True)
class Corrupt:
    """A byte of the body changes in transit.

    Of the request's if it has one, otherwise the answer's.
    """

    position: int = 0


Fault = Status | Reset | LoseAnswer | Stall | Truncate | Corrupt


class Faults:
    """Each fault happens to the next ``times`` requests that match."""

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting: list[tuple[re.Pattern[str], Fault, int]] = []

    def add(self, match: str, fault: Fault, times: int = 1) -> None:
        """``match``: found in ``METHOD /path?query``."""
        with self._lock:
            self._waiting.append((re.compile(match), fault, times))

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def next_for(self, line: str) -> Fault | None:
        with self._lock:
            for index, (match, fault, times) in enumerate(self._waiting):
                if match.search(line):
                    if times == 1:
                        del self._waiting[index]
                    else:
                        self._waiting[index] = (match, fault, times - 1)
                    return fault
        return None

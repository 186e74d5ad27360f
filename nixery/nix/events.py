"""The lines of ``--log-format internal-json``, as Nix 2.8 to 2.34 write them to stderr.

    @nix {"action":"start","id":7,"level":3,"type":105,"text":"building '…-hello.drv'",
          "fields":["/nix/store/…-hello.drv","",1,1]}
    @nix {"action":"result","id":7,"type":101,"fields":["a line of the build's log"]}
    @nix {"action":"msg","level":0,"msg":"error: …","raw_msg":"the innermost message"}
    @nix {"action":"stop","id":7}

``Reader`` turns each into a ``Line``, or into nothing where it says nothing to a person. It
remembers the activities that go on, so that a line of a log is known to be of which build.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from nixery.closure import StorePath

# enum ActivityType and ResultType in Nix's src/libutil/logging.hh
PHASES = {100: "copy", 101: "download", 105: "build", 108: "substitute"}
_BUILD = 105
_LOG_RESULTS = (101, 107)  # of a builder, of a post-build hook
_MARK = "@nix "
_ERROR_LEVEL = 0
_PLAIN_ERROR = "error: "  # where Nix gives no raw_msg, or leaves its format (stack overflow)
_SHOW_TRACE = "(use '--show-trace'"

_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]"
)
# A line that was cut is no JSON any more; the log line in it still tells something.
_CUT_LOG = re.compile(r'^\{"action":"result","fields":\["(?P<text>.*)', re.DOTALL)

MAX_TEXT = 4096  # characters of a line that are logged, kept, and sent to clients

Kind = Literal["log", "message", "activity", "error"]


@dataclass(frozen=True, slots=True)
class Line:
    """Something that Nix or a builder told; ``text`` is free of control characters."""

    kind: Kind
    text: str
    phase: str
    derivation: StorePath | None = None
    """The build whose log, start or failure this is, where that is known."""


def clean(text: str) -> str:
    """Without colours and other control characters, and not too long; line ends stay."""
    return _CONTROL.sub("", text[: 2 * MAX_TEXT].replace("\t", " ")).rstrip()[:MAX_TEXT]


@dataclass(slots=True)
class Reader:
    """``phase`` is that of lines which belong to no activity: the subcommand's name."""

    phase: str
    _going_on: dict[int, tuple[str, StorePath | None]] = field(default_factory=dict)
    _overlapping: bool = False
    _ended: StorePath | None = None
    """The last build that ended, if none went on beside it."""

    def read(self, line: str) -> Line | None:
        if not line.startswith(_MARK):
            return self._plain(clean(line))
        payload = line.removeprefix(_MARK)
        try:
            event: dict[str, Any] = json.loads(payload)
        except ValueError:
            cut = _CUT_LOG.match(payload)
            return Line("log", clean(cut["text"] if cut else payload), self.phase)
        match event:
            case {"action": "msg", "level": int(level), "msg": str(text)}:
                return self._message(level, event.get("raw_msg") or text)
            case {"action": "start", "id": int(number)}:
                return self._start(number, event)
            case {"action": "result", "type": kind, "id": number, "fields": [str(text), *_]} if (
                kind in _LOG_RESULTS
            ):
                phase, derivation = self._going_on.get(number, (self.phase, None))
                return Line("log", clean(text), phase, derivation)
            case {"action": "stop", "id": number}:
                self._stop(number)
        return None

    def _plain(self, text: str) -> Line | None:
        if text.startswith(_PLAIN_ERROR):
            return Line("error", text.removeprefix(_PLAIN_ERROR), self.phase)
        return Line("message", text, self.phase) if text else None

    def _message(self, level: int, raw: str) -> Line | None:
        text = clean(raw).removeprefix(_PLAIN_ERROR)
        if not text or text.startswith(_SHOW_TRACE):
            return None
        if level != _ERROR_LEVEL:
            return Line("message", text, self.phase)
        # Nix 2.34 says "timed out after 60 seconds", and not what: it was the build that ended.
        return Line("error", text, self.phase, None if ".drv" in text else self._ended)

    def _start(self, number: int, event: dict[str, Any]) -> Line | None:
        phase = PHASES.get(event.get("type", 0), self.phase)
        fields = event.get("fields") or [None]
        is_build = event.get("type") == _BUILD and isinstance(fields[0], str)
        derivation = fields[0] if is_build else None
        if derivation:
            self._overlapping = bool(self._builds())
        self._going_on[number] = (phase, derivation)
        text = clean(event.get("text", ""))
        # Nix counts the rest, such as "querying info", as talk for -vvv.
        if not text or event.get("type") not in PHASES:
            return None
        return Line("activity", text, phase, derivation)

    def _stop(self, number: int) -> None:
        _, derivation = self._going_on.pop(number, (self.phase, None))
        if derivation:
            self._ended = None if self._overlapping else derivation
            self._overlapping = self._overlapping and bool(self._builds())

    def _builds(self) -> list[StorePath]:
        return [derivation for _, derivation in self._going_on.values() if derivation]

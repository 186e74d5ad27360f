"""Parser of ``--log-format internal-json``, as Nix 2.8 to 2.34 write it to stderr.

    @nix {"action":"start","id":7,"level":3,"type":105,"text":"building '…-hello.drv'",
          "fields":["/nix/store/…-hello.drv","",1,1]}
    @nix {"action":"result","id":7,"type":101,"fields":["a line of the build's log"]}
    @nix {"action":"msg","level":0,"msg":"error: …","raw_msg":"the innermost message"}
    @nix {"action":"stop","id":7}

``EventReader`` turns each into a ``Line``, or None if it has no text worth showing. It remembers
the running builds, to attribute lines of their logs.

What a builder can forge (the same in 2.8, 2.26 and 2.34)

- A builder may print lines that start with ``@nix``. Nix parses them and writes its own events for
  them: downloads with new ids, results of these downloads, and messages of any level and text. A
  builder cannot start or stop a build, or write to another's activities.
- If Nix's own process dies of an error, the message has a ``raw_msg``, which messages of builders
  never have.
- With a daemon, only the last error of Nix has a ``raw_msg``; the others look like a builder's. A
  builder can only write while its build runs. So an error without ``raw_msg`` is Nix's if no build
  is running, and otherwise unproven (kind ``claim``).
- builtins.trace writes messages with the level of errors; they start with ``trace:``.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from nixery.closure import StorePath

# enum ActivityType in Nix's src/libutil/logging.hh
PHASES = {100: "copy", 101: "download", 105: "build", 108: "substitute"}
_MARK = "@nix "
_ERROR_LEVEL = 0
_PLAIN_ERROR = "error: "  # starts errors without raw_msg, and those outside the JSON format
_SHOW_TRACE = "(use '--show-trace'"

_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-9;?]*[A-Za-z]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_RESULT = _MARK + '{"action":"result",'
# Nix sorts the keys, so these follow the text, whose quotes are escaped: they cannot be forged.
_END_OF_LOG_LINE = re.compile(r'"\],"id":(\d+),"type":101\}$')
_LONGEST_END = 60  # characters; an id has at most 20 digits
# A truncated line is not JSON, but the log line in it is still useful.
_CUT_LOG = re.compile(r'^\{"action":"result","fields":\["(?P<text>.*)', re.DOTALL)

MAX_TEXT = 4096  # characters of a line that are logged, kept, and sent to clients

LineKind = Literal["log", "message", "activity", "error", "claim", "end"]
"""claim: an error that may be a builder's text. end: a build has ended; without text."""


@dataclass(frozen=True, slots=True)
class Line:
    """A message of Nix or a builder; ``text`` has no control characters."""

    kind: LineKind
    text: str
    phase: str
    derivation: StorePath | None = None
    """The build that it belongs to, if known."""


def clean(text: str) -> str:
    """Removes colours and other control characters, except line ends, and shortens the text."""
    return _CONTROL.sub("", text[: 2 * MAX_TEXT].replace("\t", " ")).rstrip()[:MAX_TEXT]


@dataclass(slots=True)
class EventReader:
    """``phase``: of lines that belong to no activity; the name of the subcommand."""

    phase: str
    has_built: bool = False
    """Whether any build was started."""
    _running: dict[int, StorePath] = field(default_factory=dict)
    """Running builds by activity."""
    _overlapping: bool = False
    _ended: StorePath | None = None
    """The last build that ended, if no other was running."""

    def build_of(self, line: str) -> StorePath | None:
        """The running build of a log line, found without parsing the line.

        None if only ``read`` can tell.
        """
        if not line.startswith(_RESULT):
            return None
        found = _END_OF_LOG_LINE.search(line, max(0, len(line) - _LONGEST_END))
        return self._running.get(int(found[1])) if found else None

    def read(self, line: str) -> Line | None:
        if not line.startswith(_MARK):
            return self._plain(clean(line))
        payload = line.removeprefix(_MARK)
        try:
            event = json.loads(payload)
        except (ValueError, RecursionError):
            cut = _CUT_LOG.match(payload)
            return Line("log", clean(cut["text"] if cut else payload), self.phase)
        return self._event(event)

    def _event(self, event: Any) -> Line | None:  # noqa: ANN401 - JSON
        match event:
            case {"action": "msg", "level": int(level), "msg": str(text)}:
                return self._message(level, text, event.get("raw_msg"))
            case {"action": "start", "id": int(number)}:
                return self._start(number, event)
            # enum ResultType: a line of a builder, of a post-build hook
            case {
                "action": "result",
                "type": 101 | 107,
                "id": int(number),
                "fields": [str(text), *_],
            }:
                derivation = self._running.get(number)
                return Line("log", clean(text), "build" if derivation else self.phase, derivation)
            case {"action": "stop", "id": int(number)}:
                return self._stop(number)
        return None

    def _plain(self, text: str) -> Line | None:
        if text.startswith(_PLAIN_ERROR):
            return self._error(text, is_certain=not self._running)
        return Line("message", text, self.phase) if text else None

    def _message(self, level: int, text: str, raw: object) -> Line | None:
        is_own = isinstance(raw, str) and bool(raw)
        text = clean(str(raw) if is_own else text)
        if not text or text.startswith(_SHOW_TRACE):
            return None
        if level == _ERROR_LEVEL and (is_own or text.startswith(_PLAIN_ERROR)):
            return self._error(text, is_certain=is_own or not self._running)
        return Line("message", text, self.phase)

    def _error(self, text: str, *, is_certain: bool) -> Line | None:
        text = text.removeprefix(_PLAIN_ERROR)
        # Nix 2.34 prints "timed out after 60 seconds" without a name: it is the build that ended.
        derivation = None if ".drv" in text else self._ended
        return Line("error" if is_certain else "claim", text, self.phase, derivation)

    def _start(self, number: int, event: dict[str, Any]) -> Line | None:
        kind, text = event.get("type"), clean(str(event.get("text", "")))
        derivation = _built_by(event)
        if derivation:
            self._overlapping = bool(self._running)
            self._running[number] = derivation
            self.has_built = True
        # Nix shows the others, such as "querying info", only with -vvv.
        if not text or not isinstance(kind, int) or kind not in PHASES:
            return None
        return Line("activity", text, PHASES[kind], derivation)

    def _stop(self, number: int) -> Line | None:
        derivation = self._running.pop(number, None)
        if derivation is None:
            return None
        self._ended = None if self._overlapping else derivation
        self._overlapping = self._overlapping and bool(self._running)
        return Line("end", "", "build", derivation)


def _built_by(event: dict[str, Any]) -> StorePath | None:
    """The derivation, if the activity is a build."""
    match event:
        case {"type": 105, "fields": [str(derivation), *_]}:
            return derivation
    return None

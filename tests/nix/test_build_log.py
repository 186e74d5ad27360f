"""Lines of Nix that are logged, and those that are kept."""

import json
import logging
import tracemalloc

import pytest
import structlog
from structlog.testing import capture_logs

from nixery.nix.build_log import HEAD, KEPT_BUILDS, KEPT_LINES, LOGGED, Record
from nixery.nix.events import EventReader

MANY = 1000


def raw(**event):
    return "@nix " + json.dumps(event, sort_keys=True, separators=(",", ":"))


def drv(number):
    return f"/nix/store/x-{number}.drv"


def start(number):
    fields = [drv(number), "", 1, 1]
    return raw(action="start", id=number, level=3, type=105, text="building", fields=fields)


def stop(number):
    return raw(action="stop", id=number)


def says(number, text):
    return raw(action="result", id=number, type=101, fields=[text])


def message(text, level=3):
    return raw(action="msg", level=level, msg=text)


def logged(*lines, close=True):
    """The lines that are logged of a command's, and its record."""
    record = Record(EventReader("realise"))
    with capture_logs() as logs:
        for line in lines:
            record.note(line)
        if close:
            record.close()
    return [entry["line"] for entry in logs if entry["kind"] != "activity"], record


def chatter(count=MANY):
    return [f"line {n}" for n in range(count)]


def in_short(lines):
    left_out = len(lines) - HEAD - KEPT_LINES
    note = f"{left_out} lines were skipped here; NIXERY_LOG_LEVEL=debug logs them"
    return [*lines[:HEAD], note, *lines[-KEPT_LINES:]]


def test_a_chatty_build():
    """Its beginning as it comes, its end when it ends, and how much is missing."""
    spoken = [says(1, text) for text in chatter()]
    assert logged(start(1), *spoken, close=False)[0] == chatter(HEAD)
    assert logged(start(1), *spoken, stop(1), close=False)[0] == in_short(chatter())
    assert logged(start(1), *spoken)[0] == in_short(chatter()), "the command ended first"


@pytest.mark.parametrize("count", [HEAD, HEAD + 1, HEAD + KEPT_LINES])
def test_a_build_that_is_logged_whole(count):
    spoken = [says(1, text) for text in chatter(count)]
    assert logged(start(1), *spoken, stop(1))[0] == chatter(count)


def test_builds_side_by_side():
    """Each has a beginning and an end of its own."""
    spoken = [says(n, f"{n}: {text}") for text in chatter() for n in (1, 2)]
    lines, _ = logged(start(1), start(2), *spoken, stop(1), stop(2))
    for number in "12":
        own = [line for line in lines if line.startswith(number) or "skipped" in line]
        assert len(own) == HEAD + KEPT_LINES + 2


def test_a_chatty_evaluation():
    """builtins.trace, warnings, and the names of 10,000 derivations to build."""
    assert logged(*(message(text) for text in chatter()))[0] == in_short(chatter())
    assert logged(*chatter())[0] == in_short(chatter()), "plain lines too"


def test_many_builds():
    """The lines of a command are limited, but not its errors."""
    lines = []
    for number in range(MANY):
        spoken = (says(number, text) for text in chatter(10))
        lines += [start(number), *spoken, stop(number)]
    failed = raw(action="msg", level=0, msg="error: no", raw_msg="no")
    told, record = logged(*lines, failed)
    assert LOGGED - 50 < len(told) <= LOGGED + 2
    assert told[-2] == "no"
    missing = MANY * 10 - (len(told) - 2) + MANY - HEAD  # and of the activities
    assert told[-1].startswith(f"{missing} lines were skipped here")
    assert len(record.log) <= KEPT_BUILDS * KEPT_LINES


def test_debug_logs_everything():
    ours = logging.getLogger("nixery")
    ours.setLevel(logging.DEBUG)
    try:
        spoken = [says(1, text) for text in chatter(LOGGED + 100)]
        assert logged(start(1), *spoken, stop(1))[0] == chatter(LOGGED + 100)
    finally:
        ours.setLevel(logging.NOTSET)


def test_a_chatty_neighbour_pushes_nothing_out():
    """The last lines of the build that failed are there for its client."""
    lines = [start(1), start(2), says(1, "the reason"), *(says(2, text) for text in chatter())]
    _, record = logged(*lines, stop(1), *(says(2, text) for text in chatter()), stop(2))
    kept = [(line.derivation, line.text) for line in record.log if line.kind == "log"]
    assert kept == [(drv(1), "the reason"), *((drv(2), t) for t in chatter()[-KEPT_LINES:])]


def test_the_first_errors_and_the_last():
    """A flood of them cannot hide what Nix died of."""
    failed = [raw(action="msg", level=0, msg=text, raw_msg=text) for text in chatter()]
    _, record = logged(*failed)
    assert [e.text for e in record.errors] == [*chatter()[: KEPT_LINES - 1], chatter()[-1]]


def test_memory():
    """For any lines, short and long, of builds that do not end."""
    structlog.configure(processors=[_drop])
    record = Record(EventReader("realise"))
    tracemalloc.start()
    for number in range(4):
        record.note(start(number))
        for length in (100, 50_000):
            for _ in range(500):
                record.note(says(number, "x" * length))
                record.note(raw(action="start", id=0, type=101, text="x" * length, level=0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def _drop(*_):
    raise structlog.DropEvent

"""One line per event, from every logger."""

import io
import json
import logging

import pytest
import structlog

from nixery.logs.setup import configure_logging, logs_everything


@pytest.fixture(autouse=True)
def _restored():
    """Logging is the process's; the next test finds it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("nixery").setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture
def stream():
    return io.StringIO()


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_own_event(stream):
    """An event with its values, and those of the request around it."""
    configure_logging(stream, json=True)
    with structlog.contextvars.bound_contextvars(request_id="r"):
        structlog.get_logger().info("image built", layers=3)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "image built", "layers": 3, "level": "info", "request_id": "r"}


def test_library(stream):
    """Uvicorn and asyncio log the same way, as far as something is wrong."""
    configure_logging(stream, json=True)
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 1)
    logging.getLogger("asyncio").warning("Executing %s took long", "it")
    (line,) = lines(stream)
    assert line["event"] == "Executing it took long"
    assert (line["logger"], line["level"]) == ("asyncio", "warning")
    assert line["timestamp"].endswith("Z")


def test_traceback(stream):
    """A traceback stays in its line, without the values of variables."""
    configure_logging(stream, json=True)

    def fail():
        hidden = "password"
        raise ValueError(len(hidden))

    try:
        fail()
    except ValueError as error:
        structlog.get_logger().error("request failed", exc_info=error)
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    assert len(lines(stream)) == 2
    for line in lines(stream):
        assert "ValueError: 8" in line["exception"]
        assert "hidden=" not in line["exception"]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_level(stream, level, expected):
    """Of our events and, from warnings on, of libraries; logs_everything agrees."""
    configure_logging(stream, json=True, level=level)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), name)("ours")
        getattr(logging.getLogger("uvicorn.error"), name)("theirs")
    told = [line["level"] for line in lines(stream) if line["event"] == "ours"]
    theirs = [line["level"] for line in lines(stream) if line["event"] == "theirs"]
    assert told == expected
    assert theirs == [name for name in expected if name in ("warning", "error")]
    assert logs_everything() == (level == "debug")


def test_line_break_is_escaped(stream):
    """A build log cannot forge an event."""
    configure_logging(stream, json=True)
    structlog.get_logger().info('a\n{"event": "forged"}', log="\x1b[31m")
    assert len(lines(stream)) == 1


def test_text(stream):
    """For people: no JSON, and no colours unless it is a terminal."""
    configure_logging(stream, json=False)
    structlog.get_logger().info("listening", url="http://127.0.0.1:1")
    text = stream.getvalue()
    assert "listening" in text
    assert "url=http://127.0.0.1:1" in text
    assert "\x1b" not in text

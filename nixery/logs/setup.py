"""Setup of logging: one line per event, JSON for programs or text for people.

    {"event": "request", "level": "info", "timestamp": "…Z", "request_id": "…", "status": 200, …}

The program logs through structlog. Messages of libraries, through the standard library's logging,
use the same processors and the same stream.
"""

import logging
from typing import Literal, TextIO

import structlog
from structlog.typing import Processor

LogLevel = Literal["debug", "info", "warning", "error"]

_OURS = logging.getLogger("nixery")
"""The configured level, for code that can skip the work for lines below it."""


def logs_everything() -> bool:
    """Whether the level debug is logged."""
    return _OURS.isEnabledFor(logging.DEBUG)


def configure_logging(stream: TextIO, *, json: bool, level: LogLevel = "info") -> None:
    """Once per process, before the first event. ``level``: the lowest level that is logged."""
    lowest = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render = _json() if json else [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        # Directly to the stream: the standard library would double the cost of a line, and every
        # request logs one.
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Warnings of libraries only; uvicorn's start and stop are logged by this program.
    root.setLevel(max(logging.WARNING, lowest))
    _OURS.setLevel(lowest)


def _json() -> list[Processor]:
    # Without local variables in tracebacks, which may hold secrets.
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]

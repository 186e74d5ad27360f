"""Logging: one line per event, JSON for machines or text for people.

    {"event": "request", "level": "info", "timestamp": "…Z", "request_id": "…", "status": 200, …}

The program logs through structlog; what libraries say through the standard library's logging
goes through the same processors to the same stream.
"""

import logging
from typing import Literal, TextIO

import structlog
from structlog.typing import Processor

LogLevel = Literal["debug", "info", "warning", "error"]

_OURS = logging.getLogger("nixery")
"""Holds the level for those who would do needless work for lines that nobody sees."""


def logs_everything() -> bool:
    """Whether lines of the level debug are logged."""
    return _OURS.isEnabledFor(logging.DEBUG)


def configure_logging(stream: TextIO, *, json: bool, level: LogLevel = "info") -> None:
    """Once per process, before the first event. ``level``: the lowest that is logged."""
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
        # Straight to the stream: the standard library's machinery would double the cost of a
        # line, and there is one line per request.
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
    # Libraries speak up when something is wrong; uvicorn's starts and stops are told by us.
    root.setLevel(max(logging.WARNING, lowest))
    _OURS.setLevel(lowest)


def _json() -> list[Processor]:
    # Without local variables in tracebacks: they may hold what nobody should read in a log.
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]

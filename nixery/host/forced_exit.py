"""Forced exit of the process when threads hang.

A read from a network file system that does not answer blocks its thread and cannot be interrupted.
The event loop and the interpreter wait for their threads, so the process would never end.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType

import structlog

log = structlog.get_logger()

NAMED = 10
"""Maximum number of logged threads; dozens may hang in the same place."""


def end_within(seconds: float, end: Callable[[int], object] = os._exit) -> None:
    """Ends the process with status 0 after this time, unless it has ended by then.

    All clients are served or disconnected by then. Call it once.
    """
    timer = threading.Timer(seconds, _give_up, [end])
    timer.daemon = True
    timer.start()


def _give_up(end: Callable[[int], object]) -> None:
    hanging = [
        thread
        for thread in threading.enumerate()
        if not thread.daemon and thread is not threading.main_thread()
    ]
    frames = sys._current_frames()  # noqa: SLF001 - the documented way to inspect other threads
    places = {_place(frames[thread.ident]) for thread in hanging if thread.ident in frames}
    log.error("ended while threads hang", threads=len(hanging), places=sorted(places)[:NAMED])
    end(0)


def _place(frame: FrameType) -> str:
    """The innermost line of this package in the thread, or else the innermost line."""
    stack = traceback.extract_stack(frame)
    own = [line for line in stack if f"{os.sep}nixery{os.sep}" in line.filename]
    line = (own or stack)[-1]
    return f"{line.filename}:{line.lineno} {line.name}"

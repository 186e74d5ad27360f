"""The end of the process, where threads hang that nothing can interrupt.

A read from a network file system that does not answer holds its thread for as long as it likes.
Neither the event loop nor the interpreter ends before their threads have ended: so a process that
was told to stop would stay for ever.
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
"""Threads that the log tells of; there are up to some dozens, and they hang in the same place."""


def end_within(seconds: float, end: Callable[[int], object] = os._exit) -> None:
    """End the process after so many seconds with status 0, unless it has ended by itself.

    The clients' work is over by then: nothing that is left could still be saved. Call it once.
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
    frames = sys._current_frames()  # noqa: SLF001 - the documented way to see other threads
    places = {_place(frames[thread.ident]) for thread in hanging if thread.ident in frames}
    log.error("ended while threads hang", threads=len(hanging), places=sorted(places)[:NAMED])
    end(0)


def _place(frame: FrameType) -> str:
    """The innermost line of this package that the thread is at, else the innermost of all."""
    stack = traceback.extract_stack(frame)
    own = [line for line in stack if f"{os.sep}nixery{os.sep}" in line.filename]
    line = (own or stack)[-1]
    return f"{line.filename}:{line.lineno} {line.name}"

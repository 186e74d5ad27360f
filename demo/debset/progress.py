"""Reports progress on stderr; never silent for more than a few seconds."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PERIOD = 4.0  # seconds between two lines about one task


@dataclass(frozen=True, slots=True)
class Progress:
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        print(f"demo {time.monotonic() - self.began:5.1f}s  {text}", file=sys.stderr, flush=True)

    @contextmanager
    def watch(self, state: Callable[[], str] | None) -> Iterator[None]:
        """Reports the state every PERIOD while the block runs, even while it waits."""
        if state is None:
            state = _still
        done = threading.Event()

        def report() -> None:
            while not done.wait(PERIOD):
                self.say(state())

        thread = threading.Thread(target=report, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _still() -> str:
    return "still waiting for apt"

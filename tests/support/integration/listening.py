"""Waiting for a line of the log, which shows the progress of Nix."""

import anyio
import structlog


class Listener:
    """Reads the log; ``heard`` is set when a line contains the text."""

    def __init__(self, text):
        self.text = text
        self.lines = []
        self.heard = anyio.Event()

    def __call__(self, _logger, _method, event):
        if len(self.lines) < 100:
            self.lines.append(event)
        if event.get("line") == self.text:
            self.heard.set()
        raise structlog.DropEvent

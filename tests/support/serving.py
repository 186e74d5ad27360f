"""An application under a real server, and constants of HTTP tests."""

import threading
from contextlib import contextmanager

from nixery.http.pages import About
from nixery.wire.server import Server, listen

LAYER = bytes(range(256)) * 4
"""The layer of the test image: 1024 bytes that differ by position."""
ABOUT = About(source="https://packages.test/set")


@contextmanager
def running(app, server_class=Server):
    """The URL of the application under uvicorn, on a free port of this machine."""
    started = threading.Event()
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        server = server_class(app, on_start=lambda _url: started.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert started.wait(10)
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()

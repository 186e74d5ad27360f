"""The server itself: sockets, start, and an end in good order."""

import signal
import socket
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from support.fake_images import FakeImages
from support.serving import ABOUT, running

from nixery.errors import ConfigurationError, NixeryError
from nixery.http.app import create_app
from nixery.storage.memory import MemoryStorage
from nixery.wire.server import Server, listen, serve, url_of


def app_with(lifespan=None, storage=None):
    return create_app(
        images=FakeImages({}), storage=storage or MemoryStorage(), about=ABOUT, lifespan=lifespan
    )


def test_free_port():
    """Port 0 is any free one, and the URL names it."""
    with listen("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert listener.getsockname()[1] > 0


def test_all_addresses():
    """No host means all of them; the URL is one that works here."""
    with listen("", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://localhost:{port}"
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


@pytest.mark.parametrize("host", ["", "127.0.0.1"])
def test_no_delay(host):
    """A response of two writes must not wait for the acknowledgement of the first."""
    with (
        listen(host, 0) as listener,
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=5),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_port_in_use():
    """The operator's mistake is reported in one line that names the port."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1, port {port}: "):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_foreign_address(host):
    """An address reserved for documentation."""
    with pytest.raises(ConfigurationError, match=f"cannot listen on {host}"):
        listen(host, 0)


def test_lifespan():
    """Resources of the lifespan are open while requests are answered, and closed at the end."""
    events = []

    @asynccontextmanager
    async def lifespan(_app):
        events.append("open")
        yield
        events.append("closed")

    with running(app_with(lifespan)) as url:
        assert httpx.get(f"{url}/v2/").status_code == 200
        assert events == ["open"]
    assert events == ["open", "closed"]


def test_lifespan_that_fails():
    """Is an error of ours, for which the program ends with 1."""

    @asynccontextmanager
    async def lifespan(_app):
        raise RuntimeError("no bucket")
        yield

    started = []
    with pytest.raises(NixeryError, match="did not start"):
        serve(app_with(lifespan), "127.0.0.1", 0, on_start=started.append)
    assert started == []


def test_download_ends_before_the_server():
    """Graceful shutdown finishes running transfers."""
    entered, leave = threading.Event(), threading.Event()

    class Slow(MemoryStorage):
        def locate(self, digest):
            entered.set()
            assert leave.wait(10)
            return super().locate(digest)

    answers = []

    def ask(url):
        answers.append(httpx.get(f"{url}/v2/hello/blobs/sha256:{'0' * 64}"))

    class Stopping(Server):
        async def shutdown(self, sockets=None):
            leave.set()
            await super().shutdown(sockets)

    with running(app_with(storage=Slow()), Stopping) as url:
        asking = threading.Thread(target=ask, args=[url])
        asking.start()
        assert entered.wait(10)
    asking.join(10)
    assert answers[0].status_code == 404


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from support.fake_images import FakeImages
from nixery.http.app import create_app
from nixery.http.pages import About
from nixery.wire.server import serve
from nixery.logs.setup import configure_logging
from nixery.storage.memory import MemoryStorage

configure_logging(sys.stderr, json=True)
app = create_app(images=FakeImages({}), storage=MemoryStorage(), about=About(source="here"))
serve(app, "127.0.0.1", 0, on_start=lambda url: print(url, flush=True))
print("ended")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal(number):
    """Ends the server, and the program exits normally: exit code 0, no traceback."""
    tests = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, tests],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/v2/").status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out == "ended\n"
    assert "Traceback" not in err
    assert '"path": "/v2/"' in err

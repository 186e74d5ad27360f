"""The table that an operator names: a hint, whose faults stop nothing."""

import functools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from structlog.testing import capture_logs

from nixery.layers import popularity
from nixery.layers.popularity import load
from nixery.layers.tables import Popularity

TABLE = {"glibc": 9000, "zlib-1.3": 400}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = {
            "/popularity.json": (200, json.dumps(TABLE).encode()),
            "/text": (200, b"<html>"),
        }.get(self.path, (404, b""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=functools.partial(server.serve_forever, 0.01)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_over_http(site):
    assert load(f"{site}/popularity.json") == Popularity(TABLE)


@pytest.mark.parametrize("form", ["file://{}", "{}"])
def test_from_a_file(tmp_path, form):
    file = tmp_path / "a table.json"
    file.write_text(json.dumps(TABLE))
    url = form.format(str(file).replace(" ", "%20"))
    assert load(url) == Popularity(TABLE)


def test_what_is_not_there_is_said_once(site):
    with capture_logs() as logs:
        assert load(f"{site}/missing") is None
    assert [(entry["event"], entry["reason"]) for entry in logs] == [
        ("popularity not used", "ValueError: the answer is 404")
    ]


def test_what_is_no_table_is_said(site):
    with capture_logs() as logs:
        assert load(f"{site}/text") is None
    assert logs[0]["reason"] == "it is not an object of names and counts"


@pytest.mark.parametrize("url", ["ftp://a.test/x", "file:///nonesuch", "http://[", "", "x" * 9])
def test_no_fault_of_its_place_is_an_error(url):
    with capture_logs() as logs:
        assert load(url) is None
    assert len(logs) == 1


def test_a_reader_may_raise_anything():
    def read(_):
        raise RuntimeError("broken")

    with capture_logs() as logs:
        assert load("https://user:secret@a.test/x", read) is None
    assert logs[0]["url"] == "https://a.test/x"


def test_a_file_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(popularity, "LARGEST", 5)
    (tmp_path / "large").write_text('{"a": 1}')
    with capture_logs() as logs:
        assert load(str(tmp_path / "large")) is None
    assert "more than 5 bytes" in logs[0]["reason"]

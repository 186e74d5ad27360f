"""The table that an operator names."""

import base64
import functools
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nixery.layers.tables import Popularity, encode_popularity
from nixery.tables import popularity
from nixery.tables.popularity import load

TABLE = {"glibc": 9000, "zlib-1.3": 400}
GIVEN = encode_popularity(Popularity(TABLE))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = {
            "/popularity.json": (200, json.dumps(TABLE, indent=2).encode()),
            "/text": (200, b"<html>"),
        }.get(self.path, (404, b""))
        if self.path == "/user":
            given = self.headers.get("Authorization", "")
            right = "Basic " + base64.b64encode(b"me:se/cret").decode()
            status, body = (200, b'{"a":1}') if given == right else (401, b"")
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
    assert load(f"{site}/popularity.json") == GIVEN


def test_a_url_may_hold_a_user(site):
    assert load(f"{site.replace('//', '//me:se%2Fcret@')}/user") == b'{"a":1}'


@pytest.mark.parametrize("form", ["file://{}", "{}"])
def test_from_a_file(tmp_path, form):
    file = tmp_path / "a table.json"
    file.write_text(json.dumps(TABLE))
    url = form.format(str(file).replace(" ", "%20"))
    assert load(url) == GIVEN


@pytest.mark.parametrize(
    ("page", "said"),
    [("missing", "the response is 404"), ("text", "not an object of names and counts")],
)
def test_errors_are_explained(site, page, said):
    with pytest.raises(ValueError, match=said):
        load(f"{site}/{page}")


@pytest.mark.parametrize("url", ["ftp://a.test/x", "http://[", "", "https:", "/"])
def test_invalid_places(url):
    with pytest.raises(ValueError, match=r".") as raised:
        load(url)
    assert str(raised.value)


def test_a_missing_file():
    with pytest.raises(FileNotFoundError):
        load("file:///nonesuch")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="regular"):
        load(str(tmp_path / "pipe"))


def test_a_file_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(popularity, "MAX_DOWNLOAD", 5)
    (tmp_path / "large").write_text('{"a": 1}')
    with pytest.raises(ValueError, match="more than 5 bytes"):
        load(str(tmp_path / "large"))


def test_a_table_with_a_non_text_name_is_invalid(tmp_path):
    """JSON can hold half of a pair that UTF-8 cannot."""
    (tmp_path / "half").write_text('{"\\ud800": 1}')
    with pytest.raises(ValueError, match="not an object of names"):
        load(str(tmp_path / "half"))

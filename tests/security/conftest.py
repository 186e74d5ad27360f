"""A server with real Nix, and hostile package sets."""

import socket

import pytest
from support.security.hostile_set import set_with
from support.served import serve


@pytest.fixture
def package_set(tiny, tmp_path):
    """``package_set("{ evil = …; }")``: the tiny set with additions, as a directory."""

    def make(more):
        directory = tmp_path / "set"
        directory.mkdir(exist_ok=True)
        (directory / "default.nix").write_text(set_with(tiny, more))
        return directory

    return make


@pytest.fixture
def serve_set(nix_environment, tiny, tmp_path):
    """``serve_set(directory, NAME=value)``: a server with that package set."""

    def start(directory, **settings):
        return serve(
            nix_environment,
            tmp_path / "served",
            NIXERY_PKGS_PATH=str(directory),
            NIXERY_ALLOWED_PATHS=str(tiny),
            **settings,
        )

    return start


@pytest.fixture
def refused():
    """Requests an image that must be refused; returns the error, after a check that others work."""

    def pull(served, name):
        answer = served.get(f"/v2/{name}/manifests/latest")
        assert 400 <= answer.status_code < 500, answer.text
        assert served.manifest("hello"), "others are served all the same"
        return answer

    return pull


class Listener:
    """A port that nothing may connect to."""

    def __init__(self, server):
        server.setblocking(False)
        self._server = server
        self.port = server.getsockname()[1]

    def was_reached(self):
        try:
            self._server.accept()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Listener(server)

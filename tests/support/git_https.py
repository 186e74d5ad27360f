"""A forge for private repositories: git over HTTPS with a password.

    with forge(tmp_path / "repositories", certificate) as site:
        ...  # https://{site}/NAME.git

On another machine: ``python3 git_https.py ROOT CERTIFICATE PORT``. Uses only the standard library
and git.
"""

import base64
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER, PASSWORD = "robot", "letmein-7"
_EXPECTED = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Handler(BaseHTTPRequestHandler):
    root: Path
    protocol_version = "HTTP/1.1"  # a connection may carry several requests

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        body = self._body()
        if self.headers.get("Authorization") != _EXPECTED:
            self._send(b"WWW-Authenticate: Basic realm=private\r\nStatus: 401 Unauthorized", b"")
            return
        path, _, query = self.path.partition("?")
        # https://git-scm.com/docs/git-http-backend
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
        }
        told = subprocess.run(
            ["git", "http-backend"], env=environment, input=body, stdout=subprocess.PIPE, check=True
        )
        self._send(*told.stdout.split(b"\r\n\r\n", 1))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, head: bytes, body: bytes) -> None:
        """The output of a CGI program."""
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((value for name, value in lines if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in lines:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def listen(root: Path, certificate: Path, address: str, port: int) -> ThreadingHTTPServer:
    """``certificate``: a PEM file with the key and the chain."""
    server = ThreadingHTTPServer((address, port), type("Bound", (Handler,), {"root": root}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


@contextmanager
def forge(root: Path, certificate: Path) -> Iterator[str]:
    """Yields ``localhost:PORT``."""
    server = listen(root, certificate, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    try:
        yield f"localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    listen(Path(sys.argv[1]), Path(sys.argv[2]), "", int(sys.argv[3])).serve_forever()

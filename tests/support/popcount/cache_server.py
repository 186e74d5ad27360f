"""A channel and its binary cache over HTTP, with faults to order."""

import lzma
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HASH = "{:032d}"


def store_path(number: int, name: str) -> str:
    return f"/nix/store/{HASH.format(number)}-{name}"


def narinfo(path: str, size: int, references: Sequence[str]) -> str:
    return (
        f"StorePath: {path}\nURL: nar/x.nar.xz\nCompression: xz\nNarHash: sha256:0\n"
        f"NarSize: {size}\nReferences: {' '.join(to.rpartition('/')[2] for to in references)}\n"
        "Sig: key:AAAA\n"
    )


class CacheServer:
    """``pages``: contents by address. ``asked``: the number of requests of each."""

    def __init__(self, packages: Mapping[str, tuple[int, Sequence[str]]]) -> None:
        """``packages``: store path → (size, references); all are listed."""
        self.asked: Counter[str] = Counter()
        self.failing: dict[str, list[int | None]] = {}
        """Address → statuses to answer first; None closes the connection without an answer."""
        self.pages = {
            f"/cache/{path.rpartition('/')[2][:32]}.narinfo": narinfo(path, *rest).encode()
            for path, rest in packages.items()
        }
        self.list(packages)

    def list(self, paths: Iterable[str]) -> None:
        self.pages["/channel/store-paths.xz"] = lzma.compress("\n".join(paths).encode())

    @contextmanager
    def running(self) -> Iterator["CacheServer"]:
        pages, asked, failing = self.pages, self.asked, self.failing

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are two writes; the second would wait 40 ms for the client.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                asked[self.path] += 1
                status: int | None = 200 if self.path in pages else 404
                if faults := failing.get(self.path):
                    status = faults.pop(0)
                if status is None:
                    self.close_connection = True
                    return
                body = pages.get(self.path, b"") if status == 200 else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            # Connections at the same time; those beyond this number would wait a second.
            request_queue_size = 64

        with Server(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            self.url = f"http://127.0.0.1:{server.server_port}"
            self.pages["/channel/binary-cache-url"] = f"{self.url}/cache".encode()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

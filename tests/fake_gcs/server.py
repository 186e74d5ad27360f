"""HTTP around the API: reads requests, lets faults happen, sends answers."""

import socket
import struct
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from fake_gcs.api import Answer, Api, Request
from fake_gcs.faults import Corrupt, Faults, LoseAnswer, Reset, Stall, Status, Truncate
from fake_gcs.objects import ApiError, Bucket


class FakeGcs:
    """``clock``: the bucket's time; it dates answers and objects, and ends signed addresses."""

    def __init__(self, clock=time.time):
        self.api = Api(clock)
        self.faults = Faults()
        self.log: list[str] = []
        """``METHOD /path?query`` of every request, in their order."""
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.fake = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def buckets(self) -> dict[str, Bucket]:
        return self.api.buckets

    def make_bucket(self, name: str) -> Bucket:
        return self.buckets.setdefault(name, Bucket(name, self.api.clock))

    def stop(self) -> None:
        self.closing.set()  # lets stalled connections go
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    fake: FakeGcs

    def handle_error(self, request, client_address):
        """Connections that clients or faults broke are no news; others are."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for a small answer
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_):
        """The log is the list of requests."""

    def handle_one_request(self):
        # A method is a word of the request line; http.server wants a function for each.
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        fake = self.server.fake
        line = f"{self.command} {self.path}"
        fake.log.append(line)
        fault = fake.faults.next_for(line)
        request = self._read(fault)
        if isinstance(fault, Status):
            answer = fake.api.answer_error(ApiError(fault.code, fault.reason))
        else:
            with fake.lock:
                answer = fake.api.answer(request)
        self._send(answer, fault, corrupt=not request.body)

    def _read(self, fault) -> Request:
        length = int(self.headers.get("content-length", 0))
        if isinstance(fault, Reset):
            length = min(length, fault.after)
        body = self.rfile.read(length)
        if isinstance(fault, Corrupt) and body:
            body = flip(body, fault.position)
        parts = urlsplit(self.path)
        return Request(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            body,
            broken=isinstance(fault, Reset),
        )

    def _send(self, answer: Answer, fault, *, corrupt: bool) -> None:
        body = answer.body
        match fault:
            case Reset() | LoseAnswer():
                return self._reset()
            case Stall(after=-1):
                return self._stall()
            case Corrupt(position=position) if corrupt:
                body = flip(body, position)
        self.send_response_only(answer.status)
        headers = {"Date": formatdate(self.server.fake.api.clock(), usegmt=True)} | answer.headers
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        match fault:
            case Truncate(after=count):
                self.wfile.write(body[:count])
                self.close_connection = True
            case Stall(after=count):
                self.wfile.write(body[:count])
                self.wfile.flush()
                return self._stall()
            case _:
                self.wfile.write(body)
        self.wfile.flush()
        return None

    def _reset(self) -> None:
        """RST instead of FIN: closing without lingering."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _stall(self) -> None:
        self.server.fake.closing.wait()
        self.close_connection = True


def flip(body: bytes, position: int) -> bytes:
    return body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]

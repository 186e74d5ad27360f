"""HTTP: reads requests, lets faults happen, sends answers."""

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import httpx

from support.faulty_http.faults import Corrupt, Faults, LoseAnswer, Reset, Stall, Status, Truncate


@dataclass
class Request:
    method: str
    target: str
    """Path and query as they were sent, percent-encoded."""
    headers: dict
    """Names in lower case."""
    body: bytes = b""
    broken: bool = False
    """The connection ended within the body."""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def json(self) -> dict:
        return json.loads(self.body or b"{}")


@dataclass
class Answer:
    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = b""


class FaultyServer:
    """On a free port of this machine, until ``stop``.

    ``answer`` is called for one request at a time. ``refuse`` makes the answer to a fault's Status.
    ``clock`` dates the answers.
    """

    def __init__(
        self,
        answer: Callable[[Request], Answer],
        refuse: Callable[[Status], Answer],
        clock: Callable[[], float] = time.time,
    ):
        self.answer = answer
        self.refuse = refuse
        self.clock = clock
        self.faults = Faults()
        self.log: list[str] = []
        """``METHOD /path?query`` of every request, in their order."""
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.faulty = self
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self.closing.set()  # lets stalled connections go
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def forward_to(url: str) -> Callable[[Request], Answer]:
    """An ``answer`` from another server; signatures stay valid, because Host is kept."""
    client = httpx.Client(base_url=url)

    def answer(request: Request) -> Answer:
        if request.broken:
            return Answer(400)
        response = client.request(
            request.method, request.target, headers=request.headers, content=request.body
        )
        own = ("content-length", "transfer-encoding", "connection", "date", "server")
        headers = {k: v for k, v in response.headers.items() if k not in own}
        if request.method == "HEAD":
            headers["Content-Length"] = response.headers["content-length"]
        return Answer(response.status_code, headers, response.content)

    return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    faulty: FaultyServer

    def handle_error(self, request, client_address):
        """Connections broken by clients or faults are expected; other errors are reported."""
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
        # A method is a word of the request line; http.server needs a function for each.
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        faulty = self.server.faulty
        line = f"{self.command} {self.path}"
        faulty.log.append(line)
        fault = faulty.faults.next_for(line)
        request = self._read(fault)
        if isinstance(fault, Status):
            answer = faulty.refuse(fault)
        else:
            with faulty.lock:
                answer = faulty.answer(request)
        self._send(answer, fault, corrupt=not request.body)

    def _read(self, fault) -> Request:
        length = int(self.headers.get("content-length", 0))
        if isinstance(fault, Reset):
            length = min(length, fault.after)
        self.wfile.flush()  # parse_request may have written "100 Continue"
        body = self.rfile.read(length)
        if isinstance(fault, Corrupt) and body:
            body = flip(body, fault.position)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, self.path, headers, body, broken=isinstance(fault, Reset))

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
        headers = {
            "Date": formatdate(self.server.faulty.clock(), usegmt=True),
            "Content-Length": str(len(body)),
            **answer.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
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
        self.server.faulty.closing.wait()
        self.close_connection = True


def flip(body: bytes, position: int) -> bytes:
    return body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]

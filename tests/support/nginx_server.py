"""A real nginx in front of a server, on a free port."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")

_CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {scratch}/pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
{http}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    url: str
    pid: int


@contextmanager
def running_nginx(http: str, scratch: Path) -> Iterator[Nginx]:
    """``http``: nginx configuration of servers, in which ``LISTEN`` is replaced by the address."""
    assert PROGRAM is not None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        text = _CONFIGURATION.format(
            # Its workers would run as another user, who cannot read pytest's directories.
            user="user root;" if os.geteuid() == 0 else "",
            scratch=scratch,
            http=http.replace("LISTEN", address),
        )
        (scratch / "nginx.conf").write_text(text)
        process = subprocess.Popen(
            [PROGRAM, "-p", scratch, "-c", scratch / "nginx.conf"],
            # nginx inherits the listening socket, so there is no need to wait.
            env=os.environ | {"NGINX": f"{listener.fileno()};"},
            pass_fds=[listener.fileno()],
        )
    try:
        yield Nginx(f"http://{address}", process.pid)
    finally:
        process.terminate()
        process.wait()

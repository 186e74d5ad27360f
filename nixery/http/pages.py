"""HTML pages: the landing page, and a 404 outside of ``/v2``."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nixery import __version__
from nixery.http.headers import REVALIDATE
from nixery.http.redaction import redact_source
from nixery.image_name import SHELL_PACKAGES

# The pages contain no script and no external resources, and may not be framed.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class About:
    """The content of the landing page."""

    source: str
    """The package source, without user name and password."""
    examples: tuple[str, ...] = ("shell/git/htop", "shell/python3/curl", "hello")
    """Names of images to try."""
    tag: str = "latest"
    """A tag that exists, for the examples."""


class Pages:
    def __init__(self, about: About) -> None:
        self._about = about
        self._templates = Environment(
            loader=PackageLoader("nixery", "web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> list[Route]:
        return [
            Route("/", self.index),
            Route("/style.css", _asset("style.css", "text/css; charset=utf-8")),
            Route("/icon.svg", _asset("icon.svg", "image/svg+xml")),
            Route("/favicon.ico", _asset("icon.svg", "image/svg+xml")),
        ]

    async def index(self, request: Request) -> Response:
        return self._page(request, "index.html", 200)

    def missing(self, request: Request) -> Response:
        return self._page(request, "missing.html", 404)

    def _page(self, request: Request, template: str, status: int) -> Response:
        html = self._templates.get_template(template).render(
            about=self._about,
            source=redact_source(self._about.source),
            host=host_of(request),
            shell_packages=SHELL_PACKAGES,
            version=__version__,
        )
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": _POLICY,
            "Cache-Control": REVALIDATE if status == 200 else "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(html, status, headers)


def host_of(request: Request) -> str:
    """The registry's address as the client used it, ``HOST`` or ``HOST:PORT``."""
    given = request.headers.get("host", "")
    return given if _HOST.fullmatch(given) else "localhost:8080"


def wants_html(accept: list[str]) -> bool:
    """Whether the client is a browser: registry clients never accept text/html."""
    return any("text/html" in line.lower() for line in accept)


def _asset(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint for a file of ``nixery/web``, which is read once."""
    data = files("nixery").joinpath("web", name).read_bytes()
    headers = {"Content-Type": media_type, "Cache-Control": "public, max-age=3600"}

    async def serve(_request: Request) -> Response:
        return Response(data, headers=headers)

    return serve

"""The landing page, and browsers on other addresses."""

import re
from html.parser import HTMLParser

import pytest
from support.fake_images import FakeImages
from support.serving import ABOUT

from nixery.http.app import create_app
from nixery.http.pages import About, wants_html

pytestmark = pytest.mark.anyio

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Outline(HTMLParser):
    """Tags and the addresses they name; fails on a tag that is not closed."""

    VOID = frozenset({"meta", "link", "img"})

    def __init__(self, html):
        super().__init__()
        self.tags, self.addresses, self._open = [], [], []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.addresses += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


async def test_index(client):
    """Explains how to pull from the host that the browser used, and names the package source."""
    response = await client.get("/", headers=BROWSER | {"Host": "nixery.example:5000"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "docker pull nixery.example:5000/shell/git/htop:latest" in response.text
    assert ABOUT.source in response.text
    assert "moreutils" in response.text
    assert "arm64" in response.text


async def test_nothing_from_elsewhere(client):
    """No script, font or picture of another host; the policy would block it too."""
    response = await client.get("/")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    outline = Outline(response.text)
    assert {tag for tag, _ in outline.tags}.isdisjoint({"script", "style", "iframe", "form"})
    assert not [attrs for _, attrs in outline.tags if "style" in attrs]
    links = [address for address in outline.addresses if not address.startswith("/")]
    assert links == ["https://nixos.org/"]
    for address in {address for address in outline.addresses if address.startswith("/")}:
        assert (await client.get(address)).status_code == 200


async def test_accessible(client):
    """A language, one main heading, a described picture, sections that have names."""
    outline = Outline((await client.get("/")).text)
    tags = dict(outline.tags)
    assert tags["html"] == {"lang": "en"}
    assert [tag for tag, _ in outline.tags].count("h1") == 1
    assert all("alt" in attrs for tag, attrs in outline.tags if tag == "img")
    ids = {attrs["id"] for _, attrs in outline.tags if "id" in attrs}
    labels = {attrs["aria-labelledby"] for _, attrs in outline.tags if "aria-labelledby" in attrs}
    assert labels == ids != set()


@pytest.mark.parametrize("host", ["<script>", "a b", "x/../y", "évil", "[::1", "h" * 300, ""])
async def test_strange_host(client, host):
    """An invalid host is not repeated."""
    response = await client.get("/", headers={"Host": host.encode()})
    assert "docker pull localhost:8080/" in response.text


@pytest.mark.parametrize("host", ["nixery", "nixery.example", "127.0.0.1:8080", "[::1]:5000"])
async def test_host(client, host):
    """Names, addresses, ports."""
    response = await client.get("/", headers={"Host": host})
    assert f"docker pull {host}/" in response.text


async def test_text_is_escaped(storage, client_of):
    """The operator's text may hold anything."""
    about = About(source="</code><script>", examples=("<b>", "a&b"))
    app = create_app(images=FakeImages({}), storage=storage, about=about)
    async with client_of(app) as client:
        text = (await client.get("/")).text
    assert "<script>" not in text
    assert "<b>" not in text
    assert "a&amp;b" in text


async def test_dark_mode(client):
    """The style follows the system's choice, and brings nothing from elsewhere either."""
    response = await client.get("/style.css")
    assert response.headers["content-type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme: dark" in response.text
    assert not re.search(r"url\(|@import", response.text)


async def test_icon(client):
    """Browsers request it without being asked."""
    response = await client.get("/favicon.ico")
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/svg+xml"


async def test_missing_page(client):
    """A browser gets a page, below /v2 and for other clients it is the registry's JSON."""
    page = await client.get("/missing", headers=BROWSER)
    assert page.status_code == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    Outline(page.text)
    for path, headers in (("/missing", {}), ("/v2/missing", BROWSER)):
        response = await client.get(path, headers=headers)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [([], False), (["*/*"], False), (["a/b", "Text/HTML;q=0.9"], True)],
)
def test_wants_html(accept, expected):
    """Only requests that name it."""
    assert wants_html(accept) is expected

"""Header values that are made of text from elsewhere."""

import pytest

from nixery.http.headers import content_headers, header_value
from nixery.oci import digest_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("/srv/my packages", "/srv/my packages"),
        ("/srv/pakete-für-alle", "/srv/pakete-f%C3%BCr-alle"),
        ("a\r\nSet-Cookie: b", "a%0D%0ASet-Cookie: b"),
        ("  padded\t", "padded"),
        ("bad \udcff byte", "bad ? byte"),
    ],
)
def test_value(text, value):
    """Printable ASCII only: anything else ends the header or fails in the server."""
    assert header_value(text) == value


def test_content():
    """The media type goes out as it is, without a charset."""
    digest = digest_of(b"")
    assert content_headers(digest, "application/x", "no-cache") == {
        "Content-Type": "application/x",
        "Docker-Content-Digest": digest,
        "ETag": f'"{digest}"',
        "Cache-Control": "no-cache",
    }

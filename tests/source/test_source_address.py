"""Addresses: what may be fetched from, and what of it is shown."""

import pytest

from nixery.errors import ConfigurationError
from nixery.source.address import parse_address


@pytest.mark.parametrize(
    ("text", "scheme", "url", "public"),
    [
        ("https://h.test/a.git", "https", "https://h.test/a.git", "https://h.test/a.git"),
        ("https://h.test:8443/a", "https", "https://h.test:8443/a", "https://h.test:8443/a"),
        ("https://u@h.test/a", "https", "https://u@h.test/a", "https://h.test/a"),
        ("https://u:p@h.test/a", "https", "https://h.test/a", "https://h.test/a"),
        ("https://[::1]:1/a", "https", "https://[::1]:1/a", "https://[::1]:1/a"),
        ("https://h.test/ä b", "https", "https://h.test/%C3%A4%20b", "https://h.test/%C3%A4%20b"),
        ("ssh://git@h.test/~a/b", "ssh", "ssh://git@h.test/~a/b", "ssh://h.test/~a/b"),
        ("ssh://h.test:22/a", "ssh", "ssh://h.test:22/a", "ssh://h.test:22/a"),
        ("git@h.test:a/b.git", "ssh", "git@h.test:a/b.git", "ssh://h.test/a/b.git"),
        ("git@[::1]:a", "ssh", "git@[::1]:a", "ssh://[::1]/a"),
        ("file:///srv/a", "file", "file:///srv/a", "file:///srv/a"),
        ("file://localhost/srv/a", "file", "file:///srv/a", "file:///srv/a"),
        ("/srv/a b?#ä", "file", "file:///srv/a%20b%3F%23%C3%A4", "file:///srv/a%20b%3F%23%C3%A4"),
    ],
)
def test_accepted(text, scheme, url, public):
    """Https, ssh in both spellings, and local paths; the displayed address has no user."""
    address = parse_address(text)
    assert (address.scheme, address.url, address.public) == (scheme, url, public)
    assert address.public.isascii()


def test_login_is_decoded_and_hidden():
    """The password leaves the address, percent-decoded, and no representation shows it."""
    address = parse_address("https://robot:s%40cret@h.test/a")
    assert address.login == ("robot", "s@cret")
    assert "cret" not in repr(address)
    assert "robot" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a/relative/path",
        "./path",
        "../path",
        "~/path",
        "-u/srv/a",
        "--upload-pack=touch /tmp/x",
        "http://user:topsecret@h.test/a",
        "git://h.test/a",
        "ftp://h.test/a",
        "ext::sh -c 'touch /tmp/x'",
        "u@ext::sh -c touch",
        "fd::17",
        "github:NixOS/nixpkgs",
        "git+https://h.test/a",
        "host:path",
        "user:topsecret@h.test:path",
        "git@-oProxyCommand=x:path",
        "git@h.test:-path",
        "-git@h.test:path",
        "https://-h.test/a",
        "https://",
        "https:///a",
        "https://h.test",
        "https://h.test/",
        "https://h.test:port/a",
        "https://h.test:99999/a",
        "https://h.test/a?token=topsecret",
        "https://h.test/a#topsecret",
        "https://u:top%0asecret@h.test/a",
        "https://h.test/a\nhost=b",
        "ssh://-oProxyCommand=touch/a",
        "ssh://-l@h.test/a",
        "ssh://u:topsecret@h.test/a",
        "file://h.test/srv/a",
        "file:srv/a",
        "file://",
        "HTTPS",
    ],
)
def test_refused(text):
    """Everything else, without any text that may be a password."""
    with pytest.raises(ConfigurationError) as caught:
        parse_address(text)
    assert "topsecret" not in str(caught.value)
    assert "\n" not in caught.value.message

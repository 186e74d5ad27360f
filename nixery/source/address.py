"""Addresses of git repositories: which are accepted, and how they are shown.

Accepted are ``https://``, ``ssh://``, ``user@host:path`` (ssh too), ``file:///path`` and ``/path``.
Everything else is refused, above all git's ``ext::``, which runs a command, and ``http://`` and
``git://``, with which anybody on the network could replace the packages.

    >>> parse_address("https://robot:secret@git.example.org/set.git").public
    'https://git.example.org/set.git'
    >>> parse_address("git@git.example.org:team/set.git").public
    'ssh://git.example.org/team/set.git'
"""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, quote, unquote, urlsplit

from nixery.errors import ConfigurationError

Scheme = Literal["https", "ssh", "file"]

_ACCEPTED = "https://host/path, ssh://host/path, user@host:path, file:///path or /path"
_HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._+~-]*"
# The command of the remote side could read a path that starts with "-" as an option, and ":" at the
# start is git's "helper::address".
_SCP = re.compile(rf"(?P<user>{_USER})@(?P<host>{_HOST}):(?P<path>[^:-].*)")
_FILE = re.compile(r"file://(?:localhost)?(?P<path>/.*)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_SAFE = "/%:@!$&'()*+,;=~-._"
"""Characters of a public path that are not percent-encoded. It becomes a header."""


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a repository that git may fetch from."""

    scheme: Scheme
    url: str = field(repr=False)
    """The form for git, without a password, and with a user name only if git needs it."""
    public: str
    """Without user name and password: for headers, messages and logs. ASCII."""
    site: str
    """``host[:port]``, or empty for a path."""
    login: tuple[str, str] | None = field(default=None, repr=False)
    """User name and password, decoded; https only."""


def parse_address(text: str) -> Address:
    """Raises ConfigurationError, whose message contains nothing that could be a password."""
    if _UNPRINTABLE.search(text):
        raise ConfigurationError("the address of the git repository contains control characters")
    if text.startswith("/"):
        return _file(text)
    if found := _FILE.fullmatch(text):
        return _file(unquote(found["path"], errors="surrogateescape"))
    if found := _SCP.fullmatch(text):
        public = f"ssh://{found['host']}/{quote(found['path'].lstrip('/'), safe=_SAFE)}"
        return Address("ssh", url=text, public=public, site=found["host"])
    try:
        parts = urlsplit(text)
        site = _site(parts)
    except ValueError:
        raise _refused() from None
    # A query may contain a token, and no forge needs one to serve git.
    if parts.query or parts.fragment or not parts.path.strip("/"):
        raise _refused()
    match parts.scheme:
        case "https":
            return _https(parts, site)
        case "ssh":
            return _ssh(parts, site)
        case _:
            raise _refused()


def _site(parts: SplitResult) -> str:
    """Raises ValueError."""
    host = parts.netloc.rpartition("@")[2]
    port = parts.port
    name = host if port is None else host.rpartition(":")[0]
    if not re.fullmatch(_HOST, name):
        raise ValueError("no host")
    return name if port is None else f"{name}:{port}"


def _file(path: str) -> Address:
    url = "file://" + quote(path, safe="/", errors="surrogateescape")
    return Address("file", url=url, public=url, site="")


def _https(parts: SplitResult, site: str) -> Address:
    path = quote(parts.path, safe=_SAFE)
    public = f"https://{site}{path}"
    if parts.username is None:
        return Address("https", url=public, public=public, site=site)
    user = unquote(parts.username)
    if parts.password is None:
        # Git reads the password of this user from netrc, or asks GIT_ASKPASS.
        url = f"https://{parts.username}@{site}{path}"
        return Address("https", url=url, public=public, site=site)
    login = (user, unquote(parts.password))
    if _UNPRINTABLE.search("".join(login)):
        raise ConfigurationError("user name or password of the git repository is not printable")
    return Address("https", url=public, public=public, site=site, login=login)


def _ssh(parts: SplitResult, site: str) -> Address:
    if parts.password is not None:
        raise ConfigurationError("ssh does not take a password from an address: use a key")
    path = quote(parts.path, safe=_SAFE)
    public = f"ssh://{site}{path}"
    if parts.username is None:
        return Address("ssh", url=public, public=public, site=site)
    if not re.fullmatch(_USER, parts.username):
        raise _refused()
    return Address("ssh", url=f"ssh://{parts.username}@{site}{path}", public=public, site=site)


def _refused() -> ConfigurationError:
    return ConfigurationError(f"the address of a git repository must be like {_ACCEPTED}")

"""Redaction: shortens paths of the server in messages for clients to their last component.

    /srv/store/nix/store/<hash>-git/bin    /nix/store/<hash>-git/bin
    '/var/lib/nixery/x/default.nix:3'      '…/default.nix:3'
    file:///srv/sets/nixpkgs.git           …/nixpkgs.git
    https://example.org/a                  unchanged, like paths inside Nix's sandbox

The server's log has the full paths.
"""

import re

_SCHEME = r"(?:[a-z+]{0,20}file://)?"
_QUOTED = re.compile(
    rf"""(?P<open>['"\u2018\u201c])(?P<path>{_SCHEME}/(?!/)[^'"\u2019\u201d\n]*)"""
    r"""(?P<close>['"\u2019\u201d])"""
)
# After a letter or a "/", the slash is part of a word or a URL.
_PLAIN = re.compile(
    rf"""(?<![\w/.…%~-]){_SCHEME}/(?![/\s])"""
    r"""(?:[^\s'"\u2018\u2019\u201c\u201d`()<>|:,;=]|[:,;=](?!/))*"""
)
_STORE_PATH = re.compile(r"/nix/store/[0-9a-z]{32}-.*", re.DOTALL)
_KNOWN = re.compile(r"(?:/nix/store|/build|/dev|/bin/sh|/usr/bin/env)(?![^/:,;.])")
"""Directories that every machine has, or that only exist for builders."""


def redact(text: str) -> str:
    """The text without paths of the server."""
    text = _QUOTED.sub(
        lambda found: f"{found['open']}{_shown(found['path'])}{found['close']}", text
    )
    return _PLAIN.sub(lambda found: _shown(found[0]), text)


def redact_source(address: str) -> str:
    """A package source without its directory on the server."""
    if address.startswith("/"):
        return "path"
    return re.sub(r"file://.*", "path", address, flags=re.DOTALL)


def _shown(path: str) -> str:
    if _KNOWN.match(path):
        return path
    if found := _STORE_PATH.search(path):
        return found[0]
    return "…/" + path.rstrip("/").rpartition("/")[2]

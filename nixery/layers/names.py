"""What a store path is called in a table.

The hash in a store path changes with everything the path was made from: when glibc changes, every
path gets another one. A table that named paths would know nothing after a day; so tables name
packages, without hash and without version, but with the output.

    /nix/store/<hash>-openssl-3.0.11-bin      openssl-bin
    /nix/store/<hash>-glibc-2.38-44           glibc
    /nix/store/<hash>-python3.11-requests-2.31.0    python3.11-requests, python3-requests
    /nix/store/<hash>-glibc-locales           glibc-locales

The version begins at the first dash that no letter follows, as in Nix's parseDrvName; what is left
of letters at its end is the name of an output. Packages for an interpreter have its version in
front. On the day that Python goes up, all of those would be new; so a table of units names them
with the first number only, unless there are several (``demand.py``).
"""

import re
from functools import lru_cache

from nixery.closure import StorePath

_VERSION = re.compile(r"-[^a-zA-Z].*?(?=(?:-[a-zA-Z]+)?$)")
_INTERPRETER = re.compile(r"^((?:python|pypy|perl|ruby|lua|luajit|ocaml)[0-9]+)(?:\.[0-9]+)+(?=-)")
CACHED_NAMES = 1 << 17
"""Store paths whose names are remembered, about 300 bytes each: those of a whole channel."""


def full_name(path: StorePath) -> str:
    """With the version; also for a name that has no hash in front.

    >>> full_name("/nix/store/0rq3w5nlbbj1s2p6pccwzmrc9pxbwqaw-openssl-3.0.11-bin")
    'openssl-3.0.11-bin'
    """
    return path.rpartition("/")[2].partition("-")[2]


def name(path: StorePath) -> str:
    """Without the version.

    >>> name("/nix/store/0rq3w5nlbbj1s2p6pccwzmrc9pxbwqaw-openssl-3.0.11-bin")
    'openssl-bin'
    """
    return names(path)[1]


def unversioned(full: str) -> str:
    """The name alone; what has no version, or is nothing else, stays as it is.

    >>> unversioned("bash-interactive-5.2-p15"), unversioned("-1.0")
    ('bash-interactive', '-1.0')
    """
    return _VERSION.sub("", full, count=1) or full


@lru_cache(CACHED_NAMES)
def names(path: StorePath) -> tuple[str, str, str]:
    """All that a table of units may call it, the most exact first.

    >>> names("/nix/store/0rq3w5nlbbj1s2p6pccwzmrc9pxbwqaw-python3.11-requests-2.31.0")
    ('python3.11-requests-2.31.0', 'python3.11-requests', 'python3-requests')
    """
    full = full_name(path)
    bare = unversioned(full)
    return full, bare, _INTERPRETER.sub(r"\1", bare)

"""Names of store paths in tables.

The hash of a store path changes with all of its inputs: when glibc changes, every path changes. So
tables contain package names, without hash and version, but with the output.

    /nix/store/<hash>-openssl-3.0.11-bin      openssl-bin
    /nix/store/<hash>-glibc-2.38-44           glibc
    /nix/store/<hash>-python3.11-requests-2.31.0    python3.11-requests, python3-requests
    /nix/store/<hash>-glibc-locales           glibc-locales

The version starts at the first dash that is not followed by a letter, as in Nix's parseDrvName;
letters at its end are the name of an output. Packages of an interpreter start with its version.
With a new version of Python all of them would be new, so a table of units uses only the first
number of that version, unless there are several (``demand.py``).
"""

import re
from functools import lru_cache

from nixery.closure import StorePath, name_of

_VERSION = re.compile(r"-[^a-zA-Z].*?(?=(?:-[a-zA-Z]+)?$)")
_INTERPRETER = re.compile(r"^((?:python|pypy|perl|ruby|lua|luajit|ocaml)[0-9]+)(?:\.[0-9]+)+(?=-)")
CACHED_NAMES = 1 << 17
"""Store paths whose names are cached, about 300 bytes each: those of a whole channel."""


def name(path: StorePath) -> str:
    """Without the version.

    >>> name("/nix/store/0rq3w5nlbbj1s2p6pccwzmrc9pxbwqaw-openssl-3.0.11-bin")
    'openssl-bin'
    """
    return names(path)[1]


def unversioned(full: str) -> str:
    """Without version and output; a name without a version stays unchanged.

    >>> unversioned("bash-interactive-5.2-p15"), unversioned("-1.0")
    ('bash-interactive', '-1.0')
    """
    return _VERSION.sub("", full, count=1) or full


@lru_cache(CACHED_NAMES)
def names(path: StorePath) -> tuple[str, str, str]:
    """All names that a table of units may use, the most exact first.

    >>> names("/nix/store/0rq3w5nlbbj1s2p6pccwzmrc9pxbwqaw-python3.11-requests-2.31.0")
    ('python3.11-requests-2.31.0', 'python3.11-requests', 'python3-requests')
    """
    full = name_of(path)
    bare = unversioned(full)
    return full, bare, _INTERPRETER.sub(r"\1", bare)

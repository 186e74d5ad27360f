"""Mapping of Debian's paths to paths in an output.

usr/bin/git                          bin/git
usr/sbin/nginx, usr/games/x          bin/nginx, bin/x
lib/x86_64-linux-gnu/libc.so.6       lib/libc.so.6
lib64/ld-linux-x86-64.so.2           lib/ld-linux-x86-64.so.2
usr/share/man/man1/git.1.gz          share/man/man1/git.1.gz, in the output "man"
usr/share/doc/..., var/..., run/...  dropped
"""

import re

_TRIPLET = r"[a-z0-9_]+-linux-gnu"
_MOVES = (
    (re.compile(rf"lib/{_TRIPLET}(?=/|$)"), "lib"),
    (re.compile(r"(?:sbin|games)(?=/|$)"), "bin"),
    (re.compile(r"lib64(?=/|$)"), "lib"),
)

# Images need neither documentation nor translations; the rest only works in a running Debian.
_DROPPED = re.compile(
    r"""(?:
      usr/share/(?:doc|doc-base|lintian|bug|info|locale|bash-completion|zsh|fish|menu|apport|icons
                  |applications|pixmaps|reportbug|metainfo)
    | (?:var|run|dev|proc|sys|tmp|home|root)
    | etc/(?:init\.d|default|cron\.[a-z]+|logrotate\.d|systemd|ufw|apt|dpkg|pam\.d|apparmor\.d
            |update-motd\.d|bash_completion\.d)
    | (?:usr/)?lib/(?:systemd|udev|tmpfiles\.d|sysusers\.d)
    )(?:/|$)""",
    re.VERBOSE,
)
_MAN = re.compile(r"usr/share/man(?:/|$)")
_ENGLISH_MAN = re.compile(r"usr/share/man/man[0-9][^/]*/")


def is_man(path: str) -> bool:
    return _ENGLISH_MAN.match(path) is not None


def is_dropped(path: str) -> bool:
    if _MAN.match(path):
        return not is_man(path)
    return _DROPPED.match(path) is not None


def mapped(path: str) -> str:
    """The path in an output for a path of Debian.

    >>> mapped("/usr/lib/x86_64-linux-gnu/perl/5.36")
    'lib/perl/5.36'
    """
    path = path.lstrip("/").removeprefix("usr/")
    for pattern, place in _MOVES:
        if match := pattern.match(path):
            path = place + path[match.end() :]
    return path

"""Environment of Nix commands: an allow-list of what Nix and its programs need.

Without a daemon, Nix passes builders every variable that their derivation requests
(``impureEnvVars``) if the derivation fixes the hash of its output. So a package could print the
service's secrets into a log that clients see.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_ALLOWED = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR"
    r"|LANG|LANGUAGE|LC_[A-Z]+|LOCALE_ARCHIVE|TZ|TZDIR"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|CURL_CA_BUNDLE|NIX_SSL_CERT_FILE"
    r"|(?:http|https|ftp|all|no)_proxy|(?:HTTP|HTTPS|FTP|ALL|NO)_PROXY"
    # https://nix.dev/manual/nix/2.26/command-ref/env-common
    r"|NIX_(?:REMOTE|CONFIG|CONF_DIR|USER_CONF_FILES|DAEMON_SOCKET_PATH|IGNORE_SYMLINK_STORE"
    r"|SSHOPTS|(?:STORE|DATA|LOG|STATE|LOCALSTATE|BIN|LIBEXEC)_DIR)"
)
_CREDENTIALS = re.compile(r"\s*(?:extra-)?(?:access-tokens|netrc-file|secret-key-files)\s*=")


def for_nix(environ: Mapping[str, str]) -> dict[str, str]:
    """The allowed variables, and NIX_CONFIG without credentials, which belong in files."""
    allowed = {name: value for name, value in environ.items() if _ALLOWED.fullmatch(name)}
    if "NIX_CONFIG" in allowed:
        lines = allowed["NIX_CONFIG"].splitlines()
        allowed["NIX_CONFIG"] = "\n".join(line for line in lines if not _CREDENTIALS.match(line))
    return allowed


def confined(
    environment: Mapping[str, str], home: Path, protocols: Iterable[str] = ()
) -> dict[str, str]:
    """``environment`` for a command that can access neither the service's HOME nor /tmp.

    ``home``: an empty directory for this command. ``protocols``: those that git may use, in
    addition to local repositories.
    """
    return {
        **environment,
        "HOME": str(home),
        "TMPDIR": str(home),
        # Nix needs the user's name, and /etc/passwd is not accessible.
        "USER": environment.get("USER", "nixery"),
        "GIT_ALLOW_PROTOCOL": ":".join(("file", *protocols)),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
    }

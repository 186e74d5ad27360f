"""What of the service's environment Nix may see.

Without a daemon, Nix shows a builder every variable that its derivation asks for
(``impureEnvVars``), if only the derivation says which hash its output has. So whoever writes
packages could have the service's secrets printed into a log that clients are shown.
"""

import re
from collections.abc import Mapping

_KEPT = frozenset({"NIXERY_EXPRESSIONS"})
_SECRET = re.compile(
    r"(?:NIXERY|S3|GCS)_.*"  # our settings; an address may hold a password
    r"|GIT_CONFIG_(?:COUNT|KEY_\d+|VALUE_\d+)"  # where headers for git's servers can be given
    r"|.*(?:SECRET|TOKEN|PASSWORD|CREDENTIAL).*",
    re.IGNORECASE,
)


def for_nix(environ: Mapping[str, str]) -> dict[str, str]:
    """Without our settings, and without what is called a secret by its name.

    NIX_CONFIG stays, since Nix reads it: access tokens belong into nix.conf.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _KEPT or not _SECRET.fullmatch(name)
    }

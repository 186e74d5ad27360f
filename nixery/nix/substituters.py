"""Binary caches that did not answer, and builds that are disabled, in Nix's output. Pure.

If a cache does not answer, Nix warns, and builds what it would have downloaded. The build's error
then hides the cause, so it is put in front:

    cache.nixos.org did not answer, so bash was to be built from source: bash failed to build: …

Only messages before the first build are read, since a builder can print such a warning, too.
"""

import re
from urllib.parse import urlsplit

from nixery.nix.process import Finished

_UNANSWERED = re.compile(
    r"unable to download '(?P<url>https?://[^']+(?:/nix-cache-info|\.narinfo))'(?!.*HTTP error 404)"
)
_DISABLED = re.compile(r"[Uu]nable to start any build|local builds are disabled")
_HOST = re.compile(r"[\w.-]{1,253}(?::\d{1,5})?|\[[0-9a-f:.]+\](?::\d{1,5})?", re.IGNORECASE)


def unanswered(finished: Finished) -> str | None:
    """The host of a binary cache that did not answer."""
    for line in finished.preparation:
        if found := _UNANSWERED.search(line.text):
            host = urlsplit(found["url"]).netloc.rpartition("@")[2]
            if _HOST.fullmatch(host):
                return host
    return None


def are_builds_disabled(text: str) -> bool:
    """Whether Nix would have to build something, and max-jobs is 0."""
    return _DISABLED.search(text) is not None

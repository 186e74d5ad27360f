"""The keys of what is kept: sha256 of canonical JSON that names everything a result depends on.

    >>> by_content("x", {"paths": ["a", "b"]}) == by_content("x", {"paths": ["ab"]})
    False

Every key holds ``FORMAT``: it goes up whenever the same inputs would give other bytes than before,
so that what an older version kept is a miss, never a lie. (The Go server joined names without a
separator and left the architecture out: ``git/hub`` was ``github``.)
"""

import hashlib
from collections.abc import Mapping, Sequence

from nixery.closure import Package
from nixery.image import ImageRequest
from nixery.oci import canonical_json
from nixery.source import ResolvedSource

FORMAT = 1


def by_content(kind: str, content: Mapping[str, object]) -> str:
    """64 hex digits; ``content`` holds JSON values. ``kind`` keeps keys of two purposes apart."""
    return hashlib.sha256(canonical_json([FORMAT, kind, content])).hexdigest()


def by_source(
    source: ResolvedSource, request: ImageRequest, options: Mapping[str, object]
) -> str | None:
    """The image's key before evaluation; None where the source is not pinned.

    ``options``: all else that decides what evaluation gives and how the image is made.
    """
    if source.revision is None:
        return None
    return by_content(
        "source",
        {
            "source": source.url,
            "revision": source.revision,
            "system": request.architecture.system,
            "packages": list(request.packages),
            "options": options,
        },
    )


def by_outputs(
    packages: Sequence[Package], request: ImageRequest, options: Mapping[str, object]
) -> str:
    """The image's key after evaluation: what Nix resolved is exact, whatever it was called.

    ``options``: how the image is made of it.
    """
    return by_content(
        "outputs",
        {
            "system": request.architecture.system,
            # In the request's order: of two packages that provide one file, the first wins.
            "packages": [list(package.paths) for package in packages],
            "shell": request.has_shell,
            "options": options,
        },
    )

"""Cache keys: the sha256 of canonical JSON that names everything a result depends on.

    >>> by_content("x", {"paths": ["a", "b"]}) == by_content("x", {"paths": ["ab"]})
    False

Every key contains ``KEY_FORMAT``, which is incremented whenever the same inputs would give other
bytes, so that entries of an older version are misses, never wrong answers. (The Go server joined
names without a separator and left out the architecture: ``git/hub`` was ``github``.)
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from nixery.closure import Package
from nixery.image_name import ImageRequest
from nixery.oci import canonical_json
from nixery.source import ResolvedSource

KEY_FORMAT = 1
IMAGE_FORMAT = 2
"""Incremented whenever the same packages would give another config; 1 had no history."""


def by_content(kind: str, content: Mapping[str, object]) -> str:
    """64 hex digits.

    ``content`` holds JSON values; ``kind`` separates keys of different purposes.
    """
    return hashlib.sha256(canonical_json([KEY_FORMAT, kind, content])).hexdigest()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides an image's bytes besides its name and package set; JSON values."""

    evaluation: Mapping[str, object]
    """Options of evaluation."""
    self_contained: bool
    """Whether evaluation reads only the package set: otherwise its revision does not pin the
    result."""
    image: Mapping[str, object]
    """Options of layering and packing."""

    def source_key(self, source: ResolvedSource, request: ImageRequest) -> str | None:
        """The image's key before evaluation; None if the source is not pinned."""
        if source.revision is None or not self.self_contained:
            return None
        return by_content(
            "source",
            {
                "source": source.url,
                "revision": source.revision,
                "system": request.architecture.system,
                "packages": list(request.packages),
                "nonroot": request.nonroot,
                "evaluation": self.evaluation,
                "image": self.image,
                "format": IMAGE_FORMAT,
            },
        )

    def outputs_key(self, packages: Sequence[Package], request: ImageRequest) -> str:
        """The image's key after evaluation.

        Exact, whatever names the packages were requested by.
        """
        return by_content(
            "outputs",
            {
                "system": request.architecture.system,
                # In the request's order: if two packages contain the same file, the first wins.
                "packages": [list(package.paths) for package in packages],
                "shell": request.has_shell,
                "nonroot": request.nonroot,
                # The config depends on the names and on meta, which are not in an output's hash.
                "command": [package.main_program for package in packages],
                "config": [asdict(package.config) for package in packages],
                "requested": len(request.requested),
                "format": IMAGE_FORMAT,
                "image": self.image,
            },
        )

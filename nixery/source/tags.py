"""NIXERY_TAGS: which tags a client may use where the tag does not choose the packages."""

from collections.abc import Iterable

from nixery.errors import TagUnknown


class AllowedTags:
    """``*`` among them allows any tag, as the Go server does."""

    def __init__(self, tags: Iterable[str]) -> None:
        self._tags = frozenset(tags)

    def allows(self, tag: str) -> bool:
        return "*" in self._tags or tag in self._tags


def unknown(tag: str, source: str) -> TagUnknown:
    """``source``: its address without user information, or what else a client may know."""
    return TagUnknown(f"tag {tag[:140]} is not known to the package source {source}")

"""Which refs of a repository a client may name, and what the other side lists.

Patterns are those of git's refspecs: a full ref name, or one with a single ``*`` that stands for
any characters, ``/`` included. The pattern ``*`` alone allows every commit that the server
hands out, pull requests of strangers included.

>>> allowed = AllowedRefs.parse(["refs/heads/*"])
>>> allowed.allows("refs/heads/release/24.05"), allowed.allows("refs/pull/1/head")
(True, False)
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nixery.errors import ConfigurationError, TagUnknown

Commit = str
"""40 lower-case hex digits, or 64 in a repository whose object format is sha256."""

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

# The characters that git refuses in ref names, and a "-" where an option could be read:
# https://git-scm.com/docs/git-check-ref-format
_REF_NAME = re.compile(r"(?![-/.])(?!.*(?:\.\.|@\{|//|/\.|/-))[^\x00-\x20\x7f~^:?*\[\\]+(?<![/.])")


@dataclass(frozen=True, slots=True)
class Ref:
    """A ref as the other side lists it."""

    name: str
    object: str
    """What it points to: a commit, or an annotated tag."""
    commit: Commit
    """The same after annotated tags are followed. Nobody has looked whether it is a commit."""


@dataclass(frozen=True, slots=True)
class AllowedRefs:
    patterns: tuple[str, ...]

    @classmethod
    def parse(cls, patterns: Iterable[str]) -> "AllowedRefs":
        """Raises ConfigurationError for what is no pattern of full ref names."""
        given = tuple(dict.fromkeys(patterns))
        for pattern in given:
            if pattern != "*" and not _is_pattern(pattern):
                raise ConfigurationError(
                    f"NIXERY_GIT_ALLOWED_REFS: {pattern!r} is no pattern of refs; "
                    "expected refs/heads/main, refs/heads/*, refs/tags/v*, or * for every commit"
                )
        if not given:
            raise ConfigurationError("NIXERY_GIT_ALLOWED_REFS is set but empty")
        return cls(given)

    @property
    def everything(self) -> bool:
        return "*" in self.patterns

    def allows(self, name: str) -> bool:
        return any(_matches(pattern, name) for pattern in self.patterns)

    def of(self, listing: Mapping[str, Ref]) -> dict[str, Ref]:
        return {name: ref for name, ref in listing.items() if self.allows(name)}

    def kinds(self) -> tuple[str, ...]:
        """What ``git ls-remote`` must be asked for, so that every allowed ref is listed.

        Heads and tags alone are asked for where that does: a big repository on a forge has a
        hundred times as many pull requests.
        """
        options = {
            "--heads"
            if pattern.startswith("refs/heads/")
            else "--tags"
            if pattern.startswith("refs/tags/")
            else ""
            for pattern in self.patterns
        }
        return () if "" in options else tuple(sorted(options))

    def refspecs(self, listing: Mapping[str, Ref]) -> tuple[str, ...]:
        """For a mirror whose refs have the names they have on the other side.

        Full names that are not listed are left out: git would fetch nothing at all.
        """
        return tuple(
            f"+{pattern}:{pattern}"
            for pattern in self.patterns
            if pattern != "*" and ("*" in pattern or pattern in listing)
        )


class AllowedTags:
    """NIXERY_TAGS: the tags that a client may use where the tag does not choose the packages.

    ``*`` among them allows any tag, as in the Go server.
    """

    def __init__(self, tags: Iterable[str]) -> None:
        self._tags = frozenset(tags)

    def allows(self, tag: str) -> bool:
        return "*" in self._tags or tag in self._tags


def unknown(tag: str, source: str) -> TagUnknown:
    """``source``: its address without user information, or what else a client may know."""
    return TagUnknown(f"tag {tag[:140]} is not known to the package source {source}")


def parse_listing(output: bytes) -> dict[str, Ref]:
    """The refs of ``git ls-remote`` by name; ``NAME^{}`` lines say where a tag leads.

    Other lines are left out: the other side may say what it likes.
    """
    refs: dict[str, Ref] = {}
    for line in output.decode(errors="surrogateescape").split("\n"):
        oid, _, name = line.partition("\t")
        if not COMMIT.fullmatch(oid):
            continue
        if not name.endswith("^{}"):
            refs[name] = Ref(name, object=oid, commit=oid)
        elif tag := refs.get(name[:-3]):
            refs[tag.name] = Ref(tag.name, object=tag.object, commit=oid)
    return refs


def is_branch_name(text: str) -> bool:
    return bool(_REF_NAME.fullmatch(text)) and not text.endswith(".lock")


def _is_pattern(pattern: str) -> bool:
    # One "*" only, and a name of at least two components once something stands in its place.
    return (
        pattern.startswith("refs/")
        and pattern.count("*") <= 1
        and is_branch_name(pattern.replace("*", "x"))
    )


def _matches(pattern: str, name: str) -> bool:
    before, star, after = pattern.partition("*")
    if not star:
        return name == pattern
    return (
        len(name) >= len(before) + len(after) and name.startswith(before) and name.endswith(after)
    )

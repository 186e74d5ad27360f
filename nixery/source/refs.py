"""Refs and tags that a client may use, and the listing of the remote.

Patterns are those of git's refspecs: a full ref name, possibly with one ``*`` for any characters
including ``/``. The pattern ``*`` alone allows every commit that the server returns, including pull
requests of strangers.

    >>> allowed = AllowedRefs.parse(["refs/heads/*"])
    >>> allowed.allows("refs/heads/release/24.05"), allowed.allows("refs/pull/1/head")
    (True, False)
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nixery.errors import ConfigurationError, TagUnknown

Commit = str
"""40 lower-case hex digits, or 64 in a repository with the object format sha256."""

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

# Excludes characters that git refuses in ref names, and "-" where it could start an option:
# https://git-scm.com/docs/git-check-ref-format
_REF_NAME = re.compile(r"(?![-/.])(?!.*(?:\.\.|@\{|//|/\.|/-))[^\x00-\x20\x7f~^:?*\[\\]+(?<![/.])")


@dataclass(frozen=True, slots=True)
class Ref:
    """A ref of the remote's listing."""

    name: str
    object: str
    """The object that it points to: a commit, or an annotated tag."""
    commit: Commit
    """The same after following annotated tags; possibly not a commit."""


@dataclass(frozen=True, slots=True)
class AllowedRefs:
    patterns: tuple[str, ...]

    @classmethod
    def parse(cls, patterns: Iterable[str]) -> "AllowedRefs":
        """Raises ConfigurationError for anything but patterns of full ref names."""
        given = tuple(dict.fromkeys(patterns))
        for pattern in given:
            if pattern != "*" and not _is_pattern(pattern):
                raise ConfigurationError(
                    f"NIXERY_GIT_ALLOWED_REFS: {pattern!r} is not a pattern of refs: "
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
        """Arguments of ``git ls-remote`` with which it lists every allowed ref.

        Heads and tags only, if that is enough: a large repository on a forge has a hundred times as
        many pull requests.
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
        """Refspecs for a mirror whose refs have the same names as the remote's.

        Leaves out full names that are not listed: git would fetch nothing at all.
        """
        return tuple(
            f"+{pattern}:{pattern}"
            for pattern in self.patterns
            if pattern != "*" and ("*" in pattern or pattern in listing)
        )


class AllowedTags:
    """NIXERY_TAGS: the tags that a client may use if the tag does not select the packages.

    ``*`` among them allows any tag, as in the Go server.
    """

    def __init__(self, tags: Iterable[str]) -> None:
        self._tags = frozenset(tags)

    def allows(self, tag: str) -> bool:
        return "*" in self._tags or tag in self._tags


def unknown(tag: str, source: str) -> TagUnknown:
    """``source``: its address without user information, or another public name."""
    return TagUnknown(
        f"tag {tag[:140]} does not exist in the package source {source}, or is not allowed"
    )


def parse_listing(output: bytes) -> dict[str, Ref]:
    """The refs of ``git ls-remote`` by name; ``NAME^{}`` lines give the target of a tag.

    Ignores other lines: the remote may send anything.
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
    # At most one "*", and a name of at least two components when it is replaced.
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

"""Fake of a package source, with results from a dictionary."""

from collections.abc import Mapping
from pathlib import Path

from nixery.errors import NixeryError, TagUnknown
from nixery.source import PackageSource, ResolvedSource, SourceTree


def resolved(revision: str | None = None, identity: str = "set") -> ResolvedSource:
    """A resolved source, as that of a package set."""
    return ResolvedSource("https://packages.test/set", revision, revision or identity)


async def tree_of(source: PackageSource, tag: str) -> SourceTree:
    """Resolves the tag, and reads the files."""
    return await source.read(await source.resolve(tag))


class FakeSource:
    """Knows the given tags; ``asked`` lists every tag that was resolved, in order.

    Raises errors in the dictionary, for example of a remote that does not answer. ``answers`` may
    be changed during a test, like a branch that moves.
    """

    def __init__(self, answers: Mapping[str, ResolvedSource | NixeryError], tree: Path) -> None:
        self.answers = dict(answers)
        self.tree = tree
        self.reads: list[ResolvedSource] = []
        self.asked: list[str] = []
        self.origin = "https://packages.test/set"

    async def resolve(self, tag: str) -> ResolvedSource:
        self.asked.append(tag)
        match self.answers.get(tag):
            case ResolvedSource() as source:
                return source
            case NixeryError() as error:
                raise error
            case None:
                raise TagUnknown(f"tag {tag} does not exist in the package source")

    async def read(self, source: ResolvedSource) -> SourceTree:
        self.reads.append(source)
        return SourceTree(self.tree, self.tree)

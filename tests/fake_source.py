"""A package source for tests of what lies above it: it answers from a dictionary."""

from collections.abc import Mapping
from pathlib import Path

from nixery.errors import NixeryError, TagUnknown
from nixery.source import ResolvedSource


def resolved(path: Path, revision: str | None = None) -> ResolvedSource:
    """The source that a test's own package set would give; the whole of it may be read."""
    return ResolvedSource(path=path, root=path, url="https://packages.test/set", revision=revision)


class FakeSource:
    """Knows the tags it was given; ``asked`` lists every tag that was looked up, in order.

    An error as a value is raised, which makes a remote that does not answer. ``answers`` may be
    changed while the test runs, as a branch moves.
    """

    def __init__(self, answers: Mapping[str, ResolvedSource | NixeryError]) -> None:
        self.answers = dict(answers)
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
                raise TagUnknown(f"tag {tag} is not known to the package source")

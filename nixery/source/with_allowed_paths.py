"""A source whose evaluation may read more than the package set: NIXERY_ALLOWED_PATHS."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from anyio import to_thread

from nixery.errors import SourceUnavailable
from nixery.source import PackageSource, ResolvedSource, SourceTree
from nixery.source.look import look
from nixery.source.ttl_cache import Memory


class SourceBeside:
    """Makes the looks of these trees a part of the identity: they change while a commit stays."""

    def __init__(self, source: PackageSource, trees: Iterable[Path], looks: Memory[str]) -> None:
        self._source = source
        self._trees = tuple(trees)
        self._looks = looks

    @property
    def origin(self) -> str:
        return self._source.origin

    async def resolve(self, tag: str) -> ResolvedSource:
        """Raises SourceUnavailable also where one of the trees cannot be read."""
        found = await self._source.resolve(tag)
        looks = await self._looks.recall("", self._look)
        return replace(found, identity=f"{found.identity} {looks}")

    async def read(self, source: ResolvedSource) -> SourceTree:
        return await self._source.read(source)

    async def _look(self) -> str:
        return " ".join([await look_at("NIXERY_ALLOWED_PATHS", tree) for tree in self._trees])


async def look_at(setting: str, tree: Path) -> str:
    """How the tree looks. Raises SourceUnavailable, which names the setting that it comes from."""
    try:
        return await to_thread.run_sync(look, tree)
    except OSError as error:
        # Somebody is changing it at this moment, or took it away.
        raise SourceUnavailable(
            f"{tree} cannot be read ({error.strerror}), which {setting} names"
        ) from error

"""NIXERY_ALLOWED_PATHS: a source whose evaluation may read more than the package set."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from nixery.source import PackageSource, ResolvedSource, SourceTree
from nixery.source.fingerprint import fingerprint
from nixery.source.ttl_cache import TtlCache


class WithAllowedPaths:
    """Adds these trees' fingerprints to the identity: they change while the commit stays."""

    def __init__(
        self, source: PackageSource, trees: Iterable[Path], fingerprints: TtlCache[str]
    ) -> None:
        self._source = source
        self._trees = tuple(trees)
        self._fingerprints = fingerprints

    @property
    def origin(self) -> str:
        return self._source.origin

    async def resolve(self, tag: str) -> ResolvedSource:
        """Also raises SourceUnavailable if one of the trees cannot be read."""
        found = await self._source.resolve(tag)
        fingerprints = await self._fingerprints.get_or_find("", self._now)
        return replace(found, identity=f"{found.identity} {fingerprints}")

    async def read(self, source: ResolvedSource) -> SourceTree:
        return await self._source.read(source)

    async def _now(self) -> str:
        return " ".join([await fingerprint(tree, "NIXERY_ALLOWED_PATHS") for tree in self._trees])

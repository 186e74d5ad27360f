"""Paths that evaluation may read in addition to the package set: allowed, overlays, search path."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from nixery.errors import ConfigurationError
from nixery.source import PackageSource, ResolvedSource, SourceTree
from nixery.source.fingerprint import fingerprint
from nixery.source.ttl_cache import TtlCache


@dataclass(frozen=True, slots=True)
class FurtherPath:
    path: Path
    setting: str
    """The environment variable that names it, for messages."""
    role: str = ""
    """What evaluation uses it for, if that affects the result: ``overlay``, or its name in the
    search path."""

    def check(self) -> None:
        """Fails at the start instead of at each pull that needs the path.

        Raises ConfigurationError.
        """
        try:
            self.path.stat()
        except OSError as error:
            problem = f"{self.path} cannot be read ({error.strerror}): name an existing path"
            raise ConfigurationError(f"{self.setting}: {problem}") from None


class WithFurtherPaths:
    """Adds the paths' fingerprints to the identity: they change while the commit stays."""

    def __init__(
        self, source: PackageSource, paths: Iterable[FurtherPath], fingerprints: TtlCache[str]
    ) -> None:
        self._source = source
        self._paths = tuple(paths)
        self._fingerprints = fingerprints

    @property
    def origin(self) -> str:
        return self._source.origin

    async def resolve(self, tag: str) -> ResolvedSource:
        """Also raises SourceUnavailable if one of the paths cannot be read."""
        found = await self._source.resolve(tag)
        fingerprints = await self._fingerprints.get_or_find("", self._now)
        return replace(found, identity=f"{found.identity} {fingerprints}")

    async def read(self, source: ResolvedSource) -> SourceTree:
        return await self._source.read(source)

    async def _now(self) -> str:
        words = []
        for further in self._paths:
            words += [further.role] if further.role else []
            words.append(await fingerprint(further.path, further.setting))
        return " ".join(words)

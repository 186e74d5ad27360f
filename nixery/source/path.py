"""Path source: a package set on this machine, which may be inside a larger tree."""

import os
from collections.abc import Iterable
from pathlib import Path

from nixery.errors import ConfigurationError, SourceUnavailable
from nixery.source import ResolvedSource, SourceTree
from nixery.source.fingerprint import fingerprint
from nixery.source.refs import AllowedTags, unknown
from nixery.source.ttl_cache import TtlCache


class PathSource:
    """``path``: a file, or a directory with a default.nix.

    Symbolic links are followed on every request, so a link can be switched to another package set.
    Evaluation may read the nearest directory at or above the path that contains a ``.git``, because
    package sets in a repository read files beside them; without one, the path and everything below
    it.
    """

    def __init__(self, path: Path, tags: Iterable[str], identities: TtlCache[str]) -> None:
        """Raises ConfigurationError if there is no package set."""
        self._path = path
        self._tags = AllowedTags(tags)
        self._identities = identities
        if problem := _problem(path):
            raise ConfigurationError(f"NIXERY_PKGS_PATH={path}: {problem}")

    @property
    def origin(self) -> str:
        return str(self._path)

    async def resolve(self, tag: str) -> ResolvedSource:
        if not self._tags.allows(tag):
            raise unknown(tag, self._path.as_uri())
        identity = await self._identities.get_or_find("", self._identity)
        return ResolvedSource(self._path.as_uri(), revision=None, identity=identity)

    async def read(self, source: ResolvedSource) -> SourceTree:  # noqa: ARG002 - there is only one
        path = self._place()
        return SourceTree(path=path, root=readable_root(path))

    async def _identity(self) -> str:
        path = self._place()
        return f"{path} {await fingerprint(readable_root(path), 'NIXERY_PKGS_PATH')}"

    def _place(self) -> Path:
        if _problem(self._path):
            raise SourceUnavailable("the package set is missing at the moment: try again later")
        return self._path.resolve()


def readable_root(path: Path) -> Path:
    """The nearest of the path and its parents that contains a ``.git``, or else the path."""
    return next((place for place in (path, *path.parents) if (place / ".git").exists()), path)


def _problem(path: Path) -> str | None:
    if not path.is_absolute():
        return "the path is relative to where the server was started: give an absolute path"
    try:
        if path.is_dir():
            if not (path / "default.nix").is_file():
                return "the directory has no default.nix: name the file of the package set"
        elif not path.exists():
            return "this file or directory does not exist: name a package set"
    except OSError as error:
        return f"the server cannot read it ({error.strerror})"
    return None if os.access(path, os.R_OK) else "the server cannot read it"

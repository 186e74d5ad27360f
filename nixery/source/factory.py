"""Factory of the package source that the settings select."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from nixery.concurrency.queue import QUEUE
from nixery.errors import ConfigurationError
from nixery.source import PackageSource
from nixery.source.address import parse_address
from nixery.source.channel import ChannelSource
from nixery.source.further_paths import FurtherPath, WithFurtherPaths
from nixery.source.git import GitSource
from nixery.source.path import PathSource
from nixery.source.refs import AllowedRefs, Commit
from nixery.source.remote import Remote
from nixery.source.trees import SPARE_SECONDS, TreeLimits, Trees
from nixery.source.ttl_cache import Clock, TtlCache


def make_source(  # noqa: PLR0913 - one for each setting, all by name
    *,
    channel: str = "",
    channel_url: str = "",
    repo: str = "",
    path: str = "",
    allowed_refs: Iterable[str] = ("refs/heads/*", "refs/tags/*"),
    tags: Iterable[str] = ("latest",),
    state_dir: Path,
    request_timeout: float,
    resolve_ttl: float,
    kept_trees: int = 2,
    clock: Clock,
    queue: int = QUEUE,
    beside: Iterable[FurtherPath] = (),
    environ: Mapping[str, str],
) -> PackageSource:
    """Exactly one of ``channel``, ``repo`` and ``path`` is not empty. ``environ`` is for git.

    ``request_timeout``: seconds for which a request may read what it resolved. ``resolve_ttl``:
    seconds for which a resolution is cached, by ``clock``. ``kept_trees``: see TreeLimits.
    ``queue``: tags that may wait to be resolved. ``beside``: further paths that evaluation may
    read, checked again after ``resolve_ttl``.

    Raises ConfigurationError.
    """
    beside = tuple(beside)
    for further in beside:
        further.check()

    def joined(source: PackageSource) -> PackageSource:
        return (
            WithFurtherPaths(source, beside, TtlCache(resolve_ttl, clock, queue))
            if beside
            else source
        )

    if path:
        return joined(PathSource(Path(path), tags, TtlCache(resolve_ttl, clock, queue)))
    address = parse_address(repo or channel_url)
    allowed = AllowedRefs.parse(allowed_refs)
    if shutil.which("git", path=environ.get("PATH")) is None:
        raise ConfigurationError("packages come from a git repository, but git is not on PATH")
    remote = Remote(address, state_dir / "git", environ)
    limits = TreeLimits(in_use_for=request_timeout + SPARE_SECONDS, kept=kept_trees)
    trees = Trees(remote, state_dir / "sources", limits)
    commits: TtlCache[Commit] = TtlCache(resolve_ttl, clock, queue)
    if repo:
        return joined(GitSource(remote, allowed, trees, commits))
    return joined(ChannelSource(channel, remote, tags, trees, commits))

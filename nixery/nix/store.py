"""Closures as Nix prints them, and where the files of a store lie. Pure."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from nixery.closure import Closure, PathInfo, StorePath
from nixery.errors import ConfigurationError, NixeryError

STORE_DIR = "/nix/store"


def parse_closure(text: bytes | str) -> Closure:
    """The output of ``nix path-info --json --recursive``, as any version prints it.

        2.8     [{"path": "/nix/store/a", "narSize": 1, "references": ["/nix/store/b"]}, …]
        2.26    {"/nix/store/a": {"narSize": 1, "references": ["/nix/store/b"]}, …}
        2.34    the same, or with --json-format 2 {"info": {"a": {…, "references": ["b"]}}}

    Raises NixeryError for a path that is not valid (2.8: ``"valid": false``, later: null), and
    for anything else.
    """
    try:
        infos = tuple(_path_info(path, info) for path, info in _entries(json.loads(text)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NixeryError(
            f"Nix printed a closure that cannot be read: {error!r}", cause="unknown_format"
        ) from error
    return Closure(tuple(sorted(infos, key=lambda info: info.path)))


def _entries(document: Any) -> Iterator[tuple[str, Mapping[str, Any] | None]]:  # noqa: ANN401 - JSON
    if isinstance(document, list):
        for entry in document:
            yield entry["path"], entry if entry.get("valid", True) else None
        return
    # Format 2 has keys that are no paths: version, storeDir and info.
    yield from document.get("info", document).items()


def _path_info(path: str, info: Mapping[str, Any] | None) -> PathInfo:
    if info is None:
        raise NixeryError(f"{path} is not in the store any more", cause="not_valid")
    own = _absolute(path)
    references = {_absolute(reference) for reference in info["references"]} - {own}
    return PathInfo(own, int(info["narSize"]), tuple(sorted(references)))


def _absolute(path: str) -> StorePath:
    return path if path.startswith("/") else f"{STORE_DIR}/{path}"


def store_root(nix_remote: str) -> Path:
    """The directory under which the files of the store's paths lie, for a value of NIX_REMOTE.

        ""  auto  daemon  local  unix:///socket     /     the machine's own store
        /srv/chroot    ./chroot                     that  a chroot store
        local?root=/srv/chroot   local:///srv/chroot

    Raises ConfigurationError where the files are not on this machine.
    https://nix.dev/manual/nix/2.26/store/types/
    """
    address, _, query = nix_remote.partition("?")
    parameters = parse_qs(query)
    if root := parameters.get("root"):
        return Path(root[0]).absolute()
    if address in ("", "auto", "daemon", "local") or address.startswith("unix://"):
        return Path("/")
    if address.startswith("local://"):
        return Path(unquote(address.removeprefix("local://")) or "/")
    if "://" not in address and "/" in address:
        return Path(address).absolute()
    raise ConfigurationError(
        f"NIX_REMOTE={nix_remote}: images are packed from the store's files, so the store must be "
        "on this machine (empty, daemon, or the directory of a chroot store)"
    )

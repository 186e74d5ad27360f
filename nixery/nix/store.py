"""Closures as each version of Nix prints them, and the location of store files. Pure."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote

from nixery.closure import Closure, PathInfo, StorePath
from nixery.errors import ConfigurationError, NixeryError
from nixery.records import elements, member, members, natural, parse, text

STORE_DIR = "/nix/store"
MAX_CLOSURE = 1 << 30
"""Bytes of a closure; Nix prints about one kilobyte for each path."""


def parse_closure(output: bytes | str) -> Closure:
    """Parses the output of ``nix path-info --json --recursive`` of any version.

        2.8     [{"path": "/nix/store/a", "narSize": 1, "references": ["/nix/store/b"]}, …]
        2.26    {"/nix/store/a": {"narSize": 1, "references": ["/nix/store/b"]}, …}
        2.34    the same, or with --json-format 2 {"info": {"a": {…, "references": ["b"]}}}

    Raises NixeryError if a path is not valid (2.8: ``"valid": false``, later: null), and for any
    other form.
    """
    try:
        document = parse(output, largest=MAX_CLOSURE)
        infos = tuple(_path_info(path, info) for path, info in _entries(document))
    except ValueError as error:
        raise NixeryError(
            f"Nix's closure cannot be parsed: {error!r}", cause="unknown_format"
        ) from error
    return Closure(tuple(sorted(infos, key=lambda info: info.path)))


def _entries(document: object) -> Iterator[tuple[str, object]]:
    if isinstance(document, list):
        for entry in document:
            is_valid = members(entry).get("valid", True)
            yield text(member(entry, "path")), entry if is_valid else None
        return
    # Format 2 has keys that are not paths: version, storeDir and info.
    yield from members(members(document).get("info", document)).items()


def _path_info(path: str, info: object) -> PathInfo:
    if info is None:
        raise NixeryError(f"{path} is no longer in the store", cause="not_valid")
    own = _absolute(path)
    references = {_absolute(text(name)) for name in elements(member(info, "references"))} - {own}
    return PathInfo(own, natural(member(info, "narSize")), tuple(sorted(references)))


def _absolute(path: str) -> StorePath:
    return path if path.startswith("/") else f"{STORE_DIR}/{path}"


def store_root(nix_remote: str) -> Path:
    """The directory of the store's files, for a value of NIX_REMOTE.

        ""  auto  daemon  local  unix:///socket     /     the machine's own store
        /srv/chroot    ./chroot                     that  a chroot store
        local?root=/srv/chroot   local:///srv/chroot

    Raises ConfigurationError if the files are not on this machine.
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

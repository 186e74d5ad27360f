"""Request records: packages and their closure, of a requested image or a starting list.

{"format": 1, "manifests": ["sha256:…", …],         an image's, in both formats
 "packages": [1], "paths": [["/nix/store/…-glibc-2.38", 30000000, []], ["…-git", 9000000, [0]]]}
"""

from collections.abc import Iterable
from dataclasses import dataclass

from nixery import records
from nixery.closure import Closure, PathInfo, StorePath
from nixery.oci import Digest, canonical_json
from nixery.records import Malformed, digest, elements, member, natural, text

RECORD_FORMAT = 1
MAX_STARTING_LIST = 64 << 20
"""Bytes; the starting list of a whole channel has 10 MB."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """Packages and their closure."""

    packages: tuple[StorePath, ...]
    closure: Closure


def encode(asked: RequestRecord, manifests: Iterable[Digest] = ()) -> bytes:
    number = {info.path: n for n, info in enumerate(asked.closure.paths)}
    return canonical_json(
        {
            "format": RECORD_FORMAT,
            "manifests": list(manifests),
            "packages": [number[path] for path in asked.packages],
            "paths": [
                [info.path, info.size, [number[to] for to in info.references]]
                for info in asked.closure.paths
            ],
        }
    )


def decode(data: bytes | str) -> tuple[RequestRecord, tuple[Digest, ...]] | None:
    """With the digests of the image's manifests; None for anything else."""
    return records.read(data, _asked, largest=MAX_STARTING_LIST)


def _asked(record: object) -> tuple[RequestRecord, tuple[Digest, ...]]:
    if natural(member(record, "format")) != RECORD_FORMAT:
        raise Malformed("a format of another version")
    # Raises ValueError for lists of another length.
    entries = [(text(path), size, to) for path, size, to in map(elements, _list(record, "paths"))]
    paths = [path for path, _, _ in entries]
    if len(set(paths)) != len(paths):
        raise Malformed("the same path twice")

    def chosen(numbers: object) -> tuple[StorePath, ...]:
        found = [natural(number) for number in elements(numbers)]
        if any(number >= len(paths) for number in found):
            raise Malformed("an index that no path has")
        return tuple(paths[number] for number in found)

    infos = tuple(PathInfo(path, natural(size), chosen(to)) for path, size, to in entries)
    asked = RequestRecord(chosen(member(record, "packages")), Closure(infos))
    return asked, tuple(map(digest, _list(record, "manifests")))


def _list(record: object, name: str) -> list[object]:
    return elements(member(record, name))

"""Packages and everything they refer to, as bytes: an image asked for, or a starting list.

{"format": 1, "manifests": ["sha256:…", …],         an image's, in both formats
 "packages": [1], "paths": [["/nix/store/…-glibc-2.38", 30000000, []], ["…-git", 9000000, [0]]]}
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from nixery.closure import Closure, PathInfo, StorePath
from nixery.errors import NixeryError
from nixery.oci import Digest, canonical_json, parse_digest

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """Packages, and everything they refer to."""

    packages: tuple[StorePath, ...]
    closure: Closure


def encode(asked: Asked, manifests: Iterable[Digest] = ()) -> bytes:
    number = {info.path: n for n, info in enumerate(asked.closure.paths)}
    return canonical_json(
        {
            "format": FORMAT,
            "manifests": list(manifests),
            "packages": [number[path] for path in asked.packages],
            "paths": [
                [info.path, info.size, [number[to] for to in info.references]]
                for info in asked.closure.paths
            ],
        }
    )


def decode(data: bytes) -> tuple[Asked, tuple[Digest, ...]] | None:
    """With the digests of the image's manifests; None for anything else."""
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            return None
        paths = [_text(path) for path, _, _ in content["paths"]]
        infos = tuple(
            PathInfo(path, _number(size), tuple(paths[_number(n)] for n in references))
            for path, size, references in content["paths"]
        )
        packages = tuple(paths[_number(n)] for n in content["packages"])
        manifests = tuple(parse_digest(_text(digest)) for digest in content["manifests"])
    except (ValueError, LookupError, TypeError, RecursionError, NixeryError):
        return None
    return (Asked(packages, Closure(infos)), manifests) if len(set(paths)) == len(paths) else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    value.encode()  # raises ValueError for half of a surrogate pair, which JSON may have
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(value)
    return value

"""Parser of ``<cache>/<hash>.narinfo``, a binary cache's description of a store path.

Source: https://nix.dev/manual/nix/stable/protocols/binary-cache
"""

from nixery.closure import PathInfo, StorePath

STORE = "/nix/store/"
SIZES = range(1 << 63)
"""The largest size in Nix's database."""


def hash_of(path: StorePath) -> str:
    return path.removeprefix(STORE).partition("-")[0]


def parse(text: str) -> PathInfo:
    """Raises ValueError if it is not a narinfo."""
    fields = dict(line.partition(": ")[::2] for line in text.splitlines())
    path, size = fields.get("StorePath", ""), fields.get("NarSize", "")
    if not path.startswith(STORE):
        raise ValueError(f"not a narinfo of a store path: {path[:100]!r}")
    # int() accepts more than Nix writes, and raises another error for thousands of digits.
    if not (size.isascii() and size.isdigit() and len(size) < 20 and int(size) in SIZES):
        raise ValueError(f"not a narinfo: NarSize is {size[:100]!r}")
    references = {STORE + name for name in fields.get("References", "").split()}
    return PathInfo(path, int(size), tuple(sorted(references - {path})))

"""A binary cache's answer about a store path, ``<cache>/<hash>.narinfo``: lines ``Key: value``.

Source: https://nix.dev/manual/nix/stable/protocols/binary-cache
"""

from nixery.closure import PathInfo, StorePath

STORE = "/nix/store/"


def hash_of(path: StorePath) -> str:
    return path.removeprefix(STORE).partition("-")[0]


def parse(text: str) -> PathInfo:
    """Raises ValueError for what is no narinfo."""
    fields = dict(line.partition(": ")[::2] for line in text.splitlines())
    try:
        path, size = fields["StorePath"], int(fields["NarSize"])
    except (KeyError, ValueError) as error:
        raise ValueError(f"not a narinfo: {error}") from None
    if not path.startswith(STORE) or size < 0:
        raise ValueError(f"not a narinfo of a store path: {path[:100]}")
    references = {STORE + name for name in fields.get("References", "").split()}
    return PathInfo(path, size, tuple(sorted(references - {path})))

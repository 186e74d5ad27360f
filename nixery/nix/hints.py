"""The setting that allows what an evaluation tried, by Nix's text. Pure."""

import re

_HINTS = (
    (
        re.compile(r"was not found in the Nix search path"),
        "NIXERY_NIX_PATH gives evaluation a search path",
    ),
    (
        re.compile(r"allow-import-from-derivation"),
        "NIXERY_ALLOW_IFD allows import from derivation",
    ),
    (
        re.compile(
            r"experimental (?:Nix )?feature '(?:flakes|fetch-tree)'"
            r"|(?:attribute|undefined variable) '(?:getFlake|fetchTree)'"
        ),
        "flakes are off, they ignore restrictions: use a path and NIXERY_NIX_PATH instead",
    ),
    (
        re.compile(r"access to URI .* is forbidden"),
        "NIXERY_ALLOWED_URIS allows downloads",
    ),
    (
        re.compile(r"is forbidden\s+in\s+(?:restricted|pure)"),
        "NIXERY_ALLOWED_PATHS allows further paths",
    ),
)


def hint(text: str) -> str:
    """In parentheses, after a blank; empty if no setting helps."""
    for pattern, advice in _HINTS:
        if pattern.search(text):
            return f" ({advice})"
    return ""

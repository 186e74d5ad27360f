"""One-line reasons out of Nix's error texts, for the person who typed ``docker pull``. Pure.

Nix and nixpkgs write for a terminal: the first line may end in a colon, an abort puts its text into
quotes, positions name the server's files, and advice follows that applies to another program.

    evaluation aborted with the following error message: '
      This version of Nixpkgs requires an implementation of Nix with the following features:
      - `builtins.nixVersion` reports at least 2.18
      …'

becomes

    This version of Nixpkgs requires an implementation of Nix with the following features:
    `builtins.nixVersion` reports at least 2.18

1. Take an abort's text out of its quotes; join hashes and reasons to the sentence before them.
2. Take the first line that is not blank, and further ones while it ends in a colon or an open
   quote. Bullets are removed.
3. Remove positions in files, and places that only this server has.
4. Shorten it.
"""

import re

MAX_REASON = 300
"""Characters. Terminals wrap, but a message should stay one line."""
UNKNOWN = "Nix gave no reason"

_ABORT = re.compile(
    r"evaluation aborted with the following error message: '(?P<text>.*)", re.DOTALL
)
_MISMATCH = re.compile(r"\s*:\s*specified:\s*(?P<specified>\S+)\s+got:\s*(?P<got>\S+)")
_CANNOT_BUILD = re.compile(r"Cannot build '(?P<path>[^']+)'\.\s*Reason: (?P<reason>[^\n]+)")
_PHYSICAL = re.compile(r""" at ['"]/[^'"]*['"]""")
_POSITION = re.compile(r" (?:in|at) (?:\S+?(?::\d+)+|/\S+?\.nix|/nix/store/\S+?)(?=[ ,:]|$)")
_BULLET = re.compile(r"^[-•*] +")
_QUOTES = "'\"`\u2018\u201c"


def one_line(text: str) -> str:
    """The reason in the text; never empty, and never ends in a colon or an open quote."""
    if aborted := _ABORT.search(text):
        text = aborted["text"].strip().removesuffix("'")
    if failed := _CANNOT_BUILD.search(text):
        text = f"cannot build '{failed['path']}': {failed['reason'].rstrip('.')}"
    text = _MISMATCH.sub(r": specified \g<specified>, got \g<got>", text)
    reason = ""
    for line in filter(None, (" ".join(line.split()) for line in text.splitlines())):
        reason = f"{reason} {_BULLET.sub('', line)}".lstrip()
        if not _is_open(reason):
            break
    reason = _POSITION.sub("", _PHYSICAL.sub("", reason))
    while _is_open(reason):
        reason = reason[:-1].rstrip()
    return shorten(reason) or UNKNOWN


def _is_open(reason: str) -> bool:
    """Whether the text cannot end here."""
    if not reason:
        return False
    last, before = reason[-1], reason[-2:-1]
    if last in _QUOTES:
        return before in " (" and reason.count(last) % 2 == 1
    return last in ":;,("


def shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"

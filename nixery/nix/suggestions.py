"""Suggestions for a package that does not exist: similar names that do. Pure.

Names are compared with those of the level where the path ended, in this order:

    a known program       ssh          openssh (``programs.py``), if the package set has it
    without dots          python3.11   python311
    letters exchanged     htpo         htop
    a letter too many     gitt         git
    part of a name        node         nodejs: at the start, at the end, or between dashes
    other similar names   helo         hello

Suggestions are spelled as in an image name: in lower case, without the underscore before a digit.
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from heapq import nlargest

from nixery.nix.programs import PROGRAMS

SHOWN = 3
"""Suggestions for a name."""

_TYPEABLE = re.compile(r"[a-z0-9]+(?:(?:_|__|-+)[a-z0-9]+)*")  # of an image name, without dots
_MAX_TYPEABLE = 128
_FULLY_COMPARED = 100
"""Names that are compared fully, which takes quadratic time; their letters select the best ones."""
_SIMILAR = 0.6
_EXCHANGED = 0.95
_DOUBLED = 0.92
_MIN_PART = 3
"""Letters of a name that is looked for in others."""
_REPLACEMENT = re.compile(
    r"(?:renamed to|replaced by|replaced with|in favou?r of|[Uu]se|[Mm]igrate to|[Ss]witch to) "
    r"['\"`\u2018](?P<name>[\w.+-]+)['\"`\u2019]"
)


def replacement(text: str) -> str:
    """The package that the text about a removed one names, as in an image name; possibly empty."""
    found = _REPLACEMENT.search(text)
    name = _typed(found["name"]) if found else ""
    return name if all(_TYPEABLE.fullmatch(part) for part in name.split(".")) else ""


def suggestions(
    requested: str, level: str, siblings: Iterable[str], joined: Iterable[str] = ()
) -> tuple[str, ...]:
    """Up to three names, the best first.

    ``level``: the attributes of the path that exist. ``siblings``: the names there. ``joined``:
    names with the same components, without dots.
    """
    depth = len(level.split(".")) if level else 0
    name = requested.lower().split(".")[depth]
    short = {_typed(sibling) for sibling in siblings if len(sibling) <= _MAX_TYPEABLE}
    known = {sibling for sibling in short if _TYPEABLE.fullmatch(sibling)}
    prefix = f"{level.lower()}." if level else ""
    found = [_typed(other) for other in joined]
    program = PROGRAMS.get(name) if not depth else None
    if program and program.partition(".")[0] in known:
        found.append(program)
    if not found:
        found = [prefix + similar for similar in _similar(name, known)]
    return tuple(dict.fromkeys(found))[:SHOWN]


def _similar(name: str, known: Iterable[str]) -> list[str]:
    matcher = SequenceMatcher(b=name)

    def likeness(other: str) -> float:
        matcher.set_seq1(other)
        return matcher.quick_ratio()

    def score(other: str) -> float:
        matcher.set_seq1(other)
        return max(matcher.ratio(), _mistyped(name, other), _contained(name, other))

    ordered = sorted(known)
    near = nlargest(_FULLY_COMPARED, ordered, key=likeness)
    near += [other for other in ordered if _contained(name, other)]
    scored = {other: score(other) for other in near}
    good = (other for other in scored if scored[other] >= _SIMILAR)
    return sorted(good, key=lambda other: (-scored[other], len(other), other))[:SHOWN]


def _mistyped(name: str, other: str) -> float:
    if sorted(name) == sorted(other):
        return _EXCHANGED
    shorter = (name[:n] + name[n + 1 :] for n in range(len(name)))
    return _DOUBLED if other in shorter else 0


def _contained(name: str, other: str) -> float:
    """From 0.6 to 0.9, by the share of the other name; whole parts between dashes are better."""
    if len(name) < _MIN_PART or name == other:
        return 0
    share = len(name) / len(other)
    if name in re.split("[-_]", other):
        return _SIMILAR + 0.3 * share
    return _SIMILAR + 0.2 * share if other.startswith(name) or other.endswith(name) else 0


def _typed(name: str) -> str:
    """As in an image name: _1password is requested without its underscore."""
    return re.sub(r"^_(?=\d)", "", name.lower())

"""The answer of an evaluation (expressions/packages.nix), and what is said of refused names. Pure.

{"packages": [{"name": "git", "status": "ok", "drvPath": …, "outputs": [{"name", "path"}]},
              {"name": "xorg.xef", "status": "not_found", "level": "xorg"}],
 "levels": {"xorg": ["recurseForDerivations", "xev"]}}
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from nixery.closure import Package
from nixery.errors import Denied, EvaluationFailed, NixeryError, PackageNotFound
from nixery.nix.text import first_line

_TYPEABLE = re.compile(r"[a-z0-9]+(?:(?:_|__|-+)[a-z0-9]+)*")  # in an image name, without dots
_POSITION = re.compile(r" in /\S+?(?=[ ,]|$)")

_REFUSALS = {
    "unfree": "it has an unfree license",
    "broken": "it is marked as broken",
    "insecure": "it has known vulnerabilities",
    "unsupported": "it is not available for {system}",
}
_REFUSED = re.compile(r"refusing to evaluate", re.IGNORECASE)
# A package is also refused for what it depends on; then its own flags say nothing.
_REFUSED_FOR = {
    "unfree": re.compile(r"unfree licen[sc]e"),
    "broken": re.compile(r"marked as broken"),
    "insecure": re.compile(r"marked as insecure"),
    "unsupported": re.compile(r"not available on|not supported on"),
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A name that stands for no package which can be had."""

    name: str
    status: str
    type: str = ""
    """For not_a_package: what is there instead."""
    level: str = ""
    """For not_found: the attributes that lead to where it is missing."""
    siblings: tuple[str, ...] = ()
    """For not_found: what is there."""

    @property
    def needs_explanation(self) -> bool:
        """Whether Nix has a message of its own, which another evaluation shows."""
        return self.status not in ("not_found", "not_a_package")


def read(text: bytes) -> tuple[Package | Refused, ...]:
    """In the order of the names that were asked for."""
    answer = json.loads(text)
    return tuple(_entry(entry, answer["levels"]) for entry in answer["packages"])


def _entry(entry: Mapping[str, Any], levels: Mapping[str, Sequence[str]]) -> Package | Refused:
    if entry["status"] == "ok":
        outputs = tuple((output["name"], output["path"]) for output in entry["outputs"])
        return Package(entry["name"], entry["drvPath"], outputs)
    level = entry.get("level", "")
    siblings = tuple(levels[level]) if entry["status"] == "not_found" else ()
    return Refused(entry["name"], entry["status"], entry.get("type", ""), level, siblings)


def verdict(refused: Refused, system: str, explanation: str = "") -> NixeryError:
    """``explanation``: Nix's message for the name, where it needs one."""
    quoted = f"package {refused.name!r}"
    log = [line for line in explanation.splitlines() if line.strip()]
    match refused.status:
        case "not_found":
            return PackageNotFound(
                f"{quoted} does not exist in this package set{_did_you_mean(refused)}",
                cause="not_found",
            )
        case "not_a_package":
            return Denied(
                f"{refused.name!r} is no package but a {refused.type} of the package set",
                cause="not_a_package",
            )
        case status if status in _REFUSALS:
            reason = _REFUSALS[status].format(system=system)
            return Denied(f"{quoted} is refused: {reason}", cause=status, log=log)
    reason = _POSITION.sub("", first_line(explanation)) or "Nix gave no reason"
    if _REFUSED.search(explanation):
        causes = [cause for cause, text in _REFUSED_FOR.items() if text.search(explanation)]
        cause = causes[0] if causes else "refused"
        return Denied(f"{quoted} is refused: {reason}", cause=cause, log=log)
    return EvaluationFailed(f"{quoted} cannot be evaluated: {reason}", cause="evaluation", log=log)


def _did_you_mean(refused: Refused) -> str:
    similar = suggestions(refused)
    if not similar:
        return ""
    *others, last = (repr(name) for name in similar)
    return f"; did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def suggestions(refused: Refused) -> tuple[str, ...]:
    """At most three names like the missing one, best first, as one types them in an image name."""
    depth = len(refused.level.split(".")) if refused.level else 0
    missing = refused.name.lower().split(".")[depth]
    # _1password is typed without its underscore.
    typed = {re.sub(r"^_(?=\d)", "", name.lower()) for name in refused.siblings}
    typeable = sorted(name for name in typed if _TYPEABLE.fullmatch(name))
    prefix = f"{refused.level.lower()}." if refused.level else ""
    return tuple(f"{prefix}{name}" for name in get_close_matches(missing, typeable))

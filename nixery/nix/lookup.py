"""The result of an evaluation (expressions/packages.nix), and the errors of refused names. Pure.

    {"packages": [{"name": "git", "status": "ok", "drvPath": …, "outputs": [{"name", "path"}]},
                  {"name": "xorg.xef", "status": "not_found", "level": "xorg"}],
     "levels": {"xorg": ["recurseForDerivations", "xev"]}}

Its texts come from the package set, and are used only after parsing.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from heapq import nlargest

from nixery import records
from nixery.closure import Package, parse_derivation, parse_output_name, parse_store_path
from nixery.errors import Denied, EvaluationFailed, NixeryError, PackageNotFound
from nixery.nix.reason import one_line
from nixery.nix.refusals import is_gone, parse_refusal

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes. All names of nixpkgs' top level, which a misspelt name returns, take half a megabyte."""
MAX_OUTPUTS = 64
"""Installed outputs of one package; nixpkgs has none with more than 30."""
MAX_COMPARED = 50_000
"""Names that a misspelt one is compared with; nixpkgs' top level has 27,000."""

_TYPEABLE = re.compile(r"[a-z0-9]+(?:(?:_|__|-+)[a-z0-9]+)*")  # of an image name, without dots
_MAX_TYPEABLE = 128
_MAX_QUOTED = 80
_FULLY_COMPARED = 100
"""Names that are compared fully, which takes quadratic time; their letters select the best ones."""

_FLAGS = {
    "unfree": "it has an unfree license",
    "broken": "it is marked as broken",
    "insecure": "it has known vulnerabilities",
    "unsupported": "it is not available for {system}",
}
"""For sets that refuse a package without a text."""

_TYPES = {
    "set": "an attribute set",
    "lambda": "a function",
    "list": "a list",
    "string": "a string",
    "path": "a path",
    "int": "an integer",
    "float": "a float",
    "bool": "a boolean",
}
"""Descriptions of Nix's ``typeOf``."""


@dataclass(frozen=True, slots=True)
class RefusedName:
    """A name that does not give a usable package."""

    name: str
    status: str
    type: str = ""
    """For not_a_package: the type. For malformed: the fault."""
    level: str = ""
    """For not_found: the attributes up to the missing one."""
    siblings: tuple[str, ...] = ()
    """For not_found: the names of that level."""

    @property
    def needs_explanation(self) -> bool:
        """Whether Nix has a message, which another evaluation returns."""
        return self.status not in ("not_found", "not_a_package", "malformed")


def read(text: bytes, names: Sequence[str]) -> tuple[Package | RefusedName, ...]:
    """One entry for each requested name, in order.

    Raises EvaluationFailed if the answer has another form.
    """
    try:
        match records.parse(text, largest=MAX_ANSWER):
            case {"packages": [*entries], "levels": {**levels}} if len(entries) == len(names):
                return tuple(
                    _entry(name, entry, levels) for name, entry in zip(names, entries, strict=True)
                )
    except records.Malformed:
        pass
    raise EvaluationFailed("the package set's answer cannot be parsed", cause="answer")


def _entry(name: str, entry: object, levels: Mapping[object, object]) -> Package | RefusedName:
    match entry:
        case {"name": str(own)} if own != name:
            pass
        case {"status": "ok", "drvPath": drv_path, "outputs": [*outputs]}:
            return _package(name, drv_path, outputs)
        case {"status": "not_found", "level": str(level)} if _leads_to(level, name):
            siblings = levels.get(level)
            known = siblings[:MAX_COMPARED] if isinstance(siblings, list) else []
            there = tuple(sibling for sibling in known if isinstance(sibling, str))
            return RefusedName(name, "not_found", "", level, there)
        case {"status": "not_a_package", "type": str(found)}:
            return RefusedName(name, "not_a_package", found)
        case {"status": "unfree" | "broken" | "insecure" | "unsupported" | "failed" as status}:
            return RefusedName(name, status)
    raise EvaluationFailed(f"the answer for package {name!r} cannot be parsed", cause="answer")


def _leads_to(level: str, name: str) -> bool:
    """Whether the number of attributes is plausible for the name."""
    return not level or level.count(".") < name.count(".")


def _package(name: str, drv_path: object, outputs: Sequence[object]) -> Package | RefusedName:
    def malformed(problem: str) -> RefusedName:
        return RefusedName(name, "malformed", problem)

    derivation = parse_derivation(drv_path)
    if derivation is None:
        return malformed(f"drvPath is not the store path of a derivation: {_quoted(drv_path)}")
    if not 0 < len(outputs) <= MAX_OUTPUTS:
        return malformed(f"it installs {len(outputs)} outputs, but 1 to {MAX_OUTPUTS} are allowed")
    parsed: list[tuple[str, str]] = []
    for output in outputs:
        own, path = (output.get(k) if isinstance(output, dict) else None for k in ("name", "path"))
        output_name, output_path = parse_output_name(own), parse_store_path(path)
        if output_name is None:
            return malformed(f"{_quoted(own)} is not the name of an output")
        if output_path is None:
            return malformed(f"output {output_name!r} is not a store path: {_quoted(path)}")
        parsed.append((output_name, output_path))
    return Package(name, derivation, tuple(parsed))


def _quoted(value: object) -> str:
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    return json.dumps(value[:_MAX_QUOTED]) + ("…" if len(value) > _MAX_QUOTED else "")


def verdict(refused: RefusedName, system: str, explanation: str = "") -> NixeryError:
    """``explanation``: Nix's message for the name, if it needs one."""
    quoted = f"package {refused.name!r}"
    match refused.status:
        case "not_found":
            return PackageNotFound(
                f"{quoted} does not exist in this package set{_did_you_mean(refused)}",
                cause="not_found",
            )
        case "not_a_package":
            what = _TYPES.get(refused.type, refused.type)
            return Denied(
                f"{refused.name!r} is not a package: it is {what}",
                cause="not_a_package",
            )
        case "malformed":
            return Denied(f"{quoted} is refused: {refused.type}", cause="malformed")
    return _explained(refused, system, explanation)


def _explained(refused: RefusedName, system: str, explanation: str) -> NixeryError:
    """The error of a name for which Nix has a message; by its flags if the message is empty."""
    quoted = f"package {refused.name!r}"
    log = [line for line in explanation.splitlines() if line.strip()]
    if refusal := parse_refusal(explanation, system):
        subject = "it" if refusal.cause == refused.status else refusal.package
        return Denied(
            f"{quoted} is refused: {subject} {refusal.predicate}", cause=refusal.cause, log=log
        )
    if refused.status in _FLAGS:
        reason = _FLAGS[refused.status].format(system=system)
        return Denied(f"{quoted} is refused: {reason}", cause=refused.status, log=log)
    reason = one_line(explanation)
    if is_gone(explanation):
        return PackageNotFound(f"{quoted} no longer exists: {reason}", cause="removed", log=log)
    return EvaluationFailed(f"{quoted} cannot be evaluated: {reason}", cause="evaluation", log=log)


def _did_you_mean(refused: RefusedName) -> str:
    similar = suggestions(refused)
    if not similar:
        return ""
    *others, last = (repr(name) for name in similar)
    return f"; did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def suggestions(refused: RefusedName) -> tuple[str, ...]:
    """Up to three similar names, the best first, spelled as in an image name."""
    depth = len(refused.level.split(".")) if refused.level else 0
    missing = refused.name.lower().split(".")[depth]
    # _1password is requested without its underscore.
    short = (name.lower() for name in refused.siblings if len(name) <= _MAX_TYPEABLE)
    typed = {re.sub(r"^_(?=\d)", "", name) for name in short}
    typeable = sorted(name for name in typed if _TYPEABLE.fullmatch(name))
    matcher = SequenceMatcher(b=missing)

    def similarity(name: str) -> float:
        matcher.set_seq1(name)
        return matcher.quick_ratio()

    near = nlargest(_FULLY_COMPARED, typeable, key=similarity)
    prefix = f"{refused.level.lower()}." if refused.level else ""
    return tuple(f"{prefix}{name}" for name in get_close_matches(missing, near))

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

from nixery import records
from nixery.closure import Package, parse_derivation, parse_output_name, parse_store_path
from nixery.errors import Denied, EvaluationFailed, NixeryError, PackageNotFound
from nixery.nix.hints import hint
from nixery.nix.reason import one_line
from nixery.nix.refusals import is_gone, parse_refusal
from nixery.nix.suggestions import replacement, suggestions
from nixery.package_config import InvalidSettingError, parse_package_config

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes. All names of nixpkgs' top level, which a misspelt name returns, take half a megabyte."""
MAX_HINTS = 3
"""Missing names for which similar ones are looked for."""
MAX_NAMED = 10
"""Missing names in a message."""
MAX_OUTPUTS = 64
"""Installed outputs of one package; nixpkgs has none with more than 30."""
MAX_COMPARED = 50_000
"""Names that a misspelt one is compared with; nixpkgs' top level has 27,000."""

_PROGRAM = re.compile(r"[A-Za-z0-9_+.-]{1,128}")
_MAX_QUOTED = 80

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
    joined: tuple[str, ...] = ()
    """For not_found: top-level attributes with the same components, without dots."""

    @property
    def needs_explanation(self) -> bool:
        """Whether Nix has a message, which another evaluation returns."""
        return self.status not in ("not_found", "unchecked", "not_a_package", "malformed")


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
        case {"status": "ok", "drvPath": drv_path, "outputs": [*outputs], **more}:
            return _package(name, drv_path, outputs, more)
        case {"status": "not_found", "level": str(level), "joined": joined} if _leads_to(
            level, name
        ):
            siblings = _texts(levels.get(level))
            return RefusedName(name, "not_found", "", level, siblings, _texts(joined))
        case {"status": "unchecked"}:
            return RefusedName(name, "unchecked")
        case {"status": "not_a_package", "type": str(found)}:
            return RefusedName(name, "not_a_package", found)
        case {"status": "unfree" | "broken" | "insecure" | "unsupported" | "failed" as status}:
            return RefusedName(name, status)
    raise EvaluationFailed(f"the answer for package {name!r} cannot be parsed", cause="answer")


def _texts(values: object) -> tuple[str, ...]:
    known = values[:MAX_COMPARED] if isinstance(values, list) else []
    return tuple(value for value in known if isinstance(value, str))


def _leads_to(level: str, name: str) -> bool:
    """Whether the number of attributes is plausible for the name."""
    return not level or level.count(".") < name.count(".")


def _package(
    name: str, drv_path: object, outputs: Sequence[object], more: Mapping[object, object]
) -> Package | RefusedName:
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
    main, role = more.get("mainProgram"), more.get("role")
    try:
        config = parse_package_config(more.get("config"))
    except InvalidSettingError as error:
        return malformed(str(error))
    return Package(
        name,
        derivation,
        tuple(parsed),
        main_program=main if isinstance(main, str) and _PROGRAM.fullmatch(main) else "",
        config=config,
        role=role if role in ("interpreter", "module") else "",
        combined=more.get("combined") is True,
    )


def _quoted(value: object) -> str:
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    return json.dumps(value[:_MAX_QUOTED]) + ("…" if len(value) > _MAX_QUOTED else "")


def verdict(refused: RefusedName, system: str, explanation: str = "") -> NixeryError:
    """``explanation``: Nix's message for the name, if it needs one."""
    quoted = f"package {refused.name!r}"
    match refused.status:
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
        other = replacement(explanation)
        question = f"; did you mean {other!r}?" if other else ""
        reason = reason.rstrip(".") if other else reason
        return PackageNotFound(
            f"{quoted} no longer exists: {reason}{question}", cause="removed", log=log
        )
    message = f"{quoted} cannot be evaluated: {reason}{hint(explanation)}"
    return EvaluationFailed(message, cause="evaluation", log=log)


def missing(refused: Sequence[RefusedName]) -> PackageNotFound:
    """The error of all names that were not found, at least one."""
    quoted = [repr(entry.name) for entry in refused]
    subject = f"package {quoted[0]} does" if len(quoted) == 1 else f"packages {_all(quoted)} do"
    similar = [
        (quoted[n], suggestions(entry.name, entry.level, entry.siblings, entry.joined))
        for n, entry in enumerate(refused[:MAX_HINTS])
    ]
    hints = [
        _any(names) if len(quoted) == 1 else f"{_any(names)} for {name}"
        for name, names in similar
        if names
    ]
    question = f"; did you mean {', '.join(hints)}?" if hints else ""
    return PackageNotFound(f"{subject} not exist in this package set{question}", cause="not_found")


def _any(names: Sequence[str]) -> str:
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}" if others else last


def _all(quoted: Sequence[str]) -> str:
    if len(quoted) > MAX_NAMED:
        return f"{', '.join(quoted[:MAX_NAMED])} and {len(quoted) - MAX_NAMED} others"
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"

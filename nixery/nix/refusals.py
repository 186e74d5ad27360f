"""Refusals: why nixpkgs does not evaluate a package, read from its error text. Pure.

nixpkgs refuses a package, or a dependency of it, by its ``meta`` and the configuration. Only its
text has the result of both:

    Refusing to evaluate package 'openssl-1.1.1w' in …/default.nix:395 because it is marked as
    insecure

    Known issues:
     - OpenSSL 1.1 is reaching its end of life …

Until 2025, the sentence was "Package 'openssl-1.1.1w' in … is marked as insecure, refusing to
evaluate." Source: pkgs/stdenv/generic/check-meta.nix in nixpkgs.

Packages that were removed or renamed throw a sentence of their own.
"""

import re
from dataclasses import dataclass
from typing import Literal

from nixery.nix.reason import one_line

Cause = Literal["unfree", "broken", "insecure", "unsupported", "refused"]


@dataclass(frozen=True, slots=True)
class Refusal:
    cause: Cause
    package: str
    """Name and version: of the requested package or of a dependency."""
    predicate: str
    """The sentence without its subject: ``has an unfree license (unfree)``."""


_FLAGS = re.DOTALL | re.IGNORECASE
_PACKAGE = r"package ['\u2018](?P<package>[^'\u2019]+)['\u2019]"
_SENTENCES = (
    re.compile(rf"refusing to evaluate {_PACKAGE}(?: in \S+)? because it (?P<why>.+)", _FLAGS),
    re.compile(rf"{_PACKAGE} in \S+ (?P<why>.+?), refusing to evaluate(?P<more>.*)", _FLAGS),
)
_UNFREE = re.compile(r"has an unfree licen[sc]e(?: \(['\u2018](?P<license>[^)]*)['\u2019]\))?")
_PROBLEM = re.compile(
    r"^(?:- |has the following problem: )(?P<kind>[\w-]+): (?P<message>.+)", re.MULTILINE
)
_ISSUE = re.compile(r"Known issues:\s+- *(?P<issue>[^\n]+)")
_PLATFORM = re.compile(r"is not (?:available|supported) on")
_BROKEN = "This package is broken"
_GONE = re.compile(
    r"\b(?:has|have|had) been (?:removed|renamed|replaced|deprecated|dropped|discontinued)\b"
    r"|\b(?:was|were|is|are) (?:removed|renamed|replaced by|dropped|discontinued)\b|\brenamed to\b"
    r"|\bno longer (?:supported|available|exists|maintained|part of)\b"
)


def parse_refusal(text: str, system: str) -> Refusal | None:
    """None if the text is another error. ``system``: for which the package was requested."""
    for sentence in _SENTENCES:
        if found := sentence.search(text):
            more = found.groupdict().get("more", "")
            whole = f"{found['why']}\n{more.removeprefix('.')}"
            cause, predicate = _predicate(whole, system)
            return Refusal(cause, found["package"], predicate)
    return None


def is_gone(text: str) -> bool:
    """Whether the error says that the package was removed or renamed."""
    return _GONE.search(one_line(text)) is not None


def _predicate(text: str, system: str) -> tuple[Cause, str]:
    if unfree := _UNFREE.match(text):
        license_ = f" ({unfree['license']})" if unfree["license"] else ""
        return "unfree", f"has an unfree license{license_}"
    if text.startswith("is marked as insecure"):
        issue = _ISSUE.search(text)
        known = f": {one_line(issue['issue'])}" if issue else ""
        return "insecure", f"has known vulnerabilities{known}"
    if _PLATFORM.match(text):
        return "unsupported", f"is not available for {system}"
    problem = _PROBLEM.search(text)
    if text.startswith("is marked as broken") or (problem and problem["kind"] == "broken"):
        own = problem["message"] if problem else _BROKEN
        detail = "" if own.startswith(_BROKEN) else f": {one_line(own)}"
        return "broken", f"is marked as broken{detail}"
    if problem:
        return "refused", f"has a problem ({problem['kind']}): {one_line(problem['message'])}"
    return "refused", one_line(text)

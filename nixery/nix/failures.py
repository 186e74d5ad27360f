"""Nix's output before a failure, as errors of nixery.errors. Pure.

Matches texts first: through the daemon every failure has status 1, and only a direct store has
different ones (100 build, 101 timeout, 102 hash). The texts are those of Nix 2.8, 2.26 and 2.34.
machine_errors.py recognises faults of the machine.
"""

import re
from collections.abc import Sequence

from nixery.closure import Package, StorePath
from nixery.errors import (
    BuildFailed,
    Denied,
    DerivationCollected,
    EvaluationFailed,
    NixeryError,
    TimedOut,
)
from nixery.nix.build_log import KEPT_LINES
from nixery.nix.events import Line
from nixery.nix.lookup import MAX_ANSWER
from nixery.nix.machine_errors import ended_by_signal, of_machine, of_status, own_text
from nixery.nix.process import Finished
from nixery.nix.reason import one_line

_DERIVATION = re.compile(r"/nix/store/[0-9a-z]{32}-[^'!^\s]+?\.drv")

_EXPERIMENTAL = re.compile(r"experimental (Nix )?feature '")
_RESTRICTED = re.compile(r"is forbidden\s+in\s+(restricted|pure)|allow-import-from-derivation")
_DOWNLOAD = re.compile(
    r"unable to download '|unable to access '|[Ff]ailed to fetch git|program 'git' failed"
    r"|[Cc]annot find Git revision"
)
_FETCHING = re.compile(
    r"\s*error: (?P<reason>unable to download '.*)"
)  # builtin:fetchurl fails like a builder
_EVALUATIONS = (
    ("recursion", re.compile(r"stack overflow|max-call-depth|infinite recursion")),
    ("out_of_memory", re.compile(r"out of memory|bad_alloc|failed to allocate", re.IGNORECASE)),
    ("download_failed", _DOWNLOAD),
)

_NEEDED = re.compile(
    r"(?:a |[Rr]equired system: )'(?P<system>[^']+)'(?: with features \{(?P<features>[^}]*)\})?"
)
_PLATFORM = re.compile(r"is required to build|platform mismatch|system or feature not available")
_TIMEOUT = re.compile(r"timed out after (?P<seconds>\d+) seconds")
_COLLECTED = re.compile(
    r"\.drv' is not valid|path '[^']*\.drv' does not exist|missing derivation"
    r"|failed to obtain derivation|don't know how to"
    r"|opening file ['\"][^'\"]*/nix/store/[^'\"/]*\.drv['\"]: No such file"
)
_DEPENDENCY = re.compile(r"Reason: \d+ dependenc")
_BUILDS = (
    ("hash_mismatch", re.compile(r"hash mismatch in fixed-output derivation"), "has another hash"),
    ("download_failed", _DOWNLOAD, "cannot be downloaded"),
    ("log_limit", re.compile(r"killed after writing more than"), "wrote too long a log"),
    ("no_output", re.compile(r"failed to produce output path"), "did not make its output"),
    ("build_failed", re.compile(r"builder for '|Cannot build '"), "failed to build"),
)
_TIMED_OUT = 101


def _text(finished: Finished) -> str:
    return "\n".join(own_text(error) for error in finished.errors)


def _lines(finished: Finished) -> list[str]:
    lines = (line for error in finished.errors for line in error.text.splitlines())
    return [line for line in lines if line.strip()]


def of_evaluation(
    finished: Finished, subject: str, trouble: NixeryError | None = None
) -> NixeryError:
    """``subject``: what was evaluated, such as "package 'git'", for the message.

    ``trouble``: a confirmed fault of the machine. Without it, the evaluation's text about the
    machine is not trusted.
    """
    text, log = _text(finished), _lines(finished)
    said = one_line(finished.errors[-1].text if finished.errors else "")
    message = f"{subject} cannot be evaluated: {said}"
    if finished.status < 0 or finished.is_cut:
        return _evaluation_stopped(finished, subject)
    if _EXPERIMENTAL.search(
        text
    ):  # not a fault of the machine: evaluation has no network on purpose
        return EvaluationFailed(message, cause="experimental", log=log)
    if error := of_status(finished) or trouble:
        return error
    if _RESTRICTED.search(text):
        hint = "NIXERY_ALLOWED_PATHS, NIXERY_ALLOWED_URIS and NIXERY_ALLOW_IFD allow more"
        return EvaluationFailed(f"{message} ({hint})", cause="restricted", log=log)
    for cause, pattern in _EVALUATIONS:
        if pattern.search(text):
            return EvaluationFailed(message, cause=cause, log=log)
    # If import from derivation is allowed, it builds during evaluation.
    error = _of_build(finished, ()) if finished.has_built else None
    return error or EvaluationFailed(message, cause="evaluation", log=log)


def _evaluation_stopped(finished: Finished, subject: str) -> EvaluationFailed:
    if finished.is_cut:
        return EvaluationFailed(
            f"{subject} cannot be evaluated: its names and outputs take more than "
            f"{MAX_ANSWER >> 20} MiB",
            cause="answer_too_large",
        )
    return EvaluationFailed(
        f"{subject} cannot be evaluated: {ended_by_signal(finished)}",
        cause="killed",
        log=_lines(finished),
    )


def of_realisation(
    finished: Finished, packages: Sequence[Package], trouble: NixeryError | None = None
) -> NixeryError:
    """``packages``: the requested ones; a dependency of them may have failed.

    ``trouble``: a confirmed fault of the machine.
    """
    text, log = _text(finished), _lines(finished)
    if finished.status < 0:
        return BuildFailed(ended_by_signal(finished), cause="killed", log=log)
    if error := trouble or of_machine(finished) or _of_build(finished, packages):
        return error
    if _COLLECTED.search(text):
        return DerivationCollected(
            "the garbage collector removed a derivation before it was built: pull again",
            cause="collected",
            log=log,
        )
    if finished.status == _TIMED_OUT:
        return TimedOut(
            f"a package was not built in time: {one_line(text)}", cause="builder_timeout"
        )
    return BuildFailed(f"the build failed: {one_line(text)}", cause="build", log=log)


def of_foreign_output(package: Package) -> Denied:
    return Denied(
        f"package {package.name!r} is refused: its outputs are not those of its derivation",
        cause="malformed",
    )


def of_closure(finished: Finished) -> NixeryError:
    """The closure of valid paths fails only because of a fault of the machine."""
    return of_machine(finished) or NixeryError(
        f"Nix cannot list the closure: {one_line(_text(finished))}",
        cause="closure",
        log=_lines(finished),
    )


def of_check(finished: Finished) -> NixeryError:
    """The check runs no foreign code, so its error is Nix's."""
    return of_machine(finished) or NixeryError(
        f"Nix cannot be used: {one_line(_text(finished))}", cause="check", log=_lines(finished)
    )


def _of_build(finished: Finished, packages: Sequence[Package]) -> NixeryError | None:
    return (
        _no_builder(finished, packages)
        or _timed_out(finished, packages)
        or _build_failed(finished, packages)
    )


def _no_builder(finished: Finished, packages: Sequence[Package]) -> Denied | None:
    for error in finished.errors:
        needed = _NEEDED.search(own_text(error))
        if needed and _PLATFORM.search(own_text(error)):
            features = f" with features {needed['features']}" if needed["features"] else ""
            return Denied(
                f"no builder for {needed['system']}{features} is available "
                f"to build {_subject(error, packages)}",
                cause="no_builder",
                log=_lines(finished),
            )
    return None


def _timed_out(finished: Finished, packages: Sequence[Package]) -> TimedOut | None:
    for error in finished.errors:
        if timeout := _TIMEOUT.search(own_text(error)):
            return TimedOut(
                f"{_subject(error, packages)} was not built within "
                f"{timeout['seconds']} seconds (NIX_TIMEOUT)",
                cause="builder_timeout",
                log=_log_of(finished, error),
            )
    return None


def _build_failed(finished: Finished, packages: Sequence[Package]) -> BuildFailed | None:
    ours = [error for error in finished.errors if not _DEPENDENCY.search(own_text(error))]
    # Through a daemon, a dependency's failure is a claim if other builds were running.
    for errors in (ours, finished.claims, finished.errors):
        for cause, pattern, verdict in _BUILDS:
            for error in errors:
                if pattern.search(own_text(error)):
                    log = _log_of(finished, error)
                    return _explained(cause, f"{_subject(error, packages)} {verdict}", error, log)
    return None


def _explained(cause: str, verdict: str, error: Line, log: Sequence[str]) -> BuildFailed:
    """The reason: of a failed builder the end of its log, otherwise Nix's message."""
    why = error.text
    if cause == "build_failed" and log:
        why = log[-1]
        for line in log:
            if download := _FETCHING.match(line):
                cause, why = "download_failed", download["reason"]
    detail = [*log, *error.text.splitlines()]
    line = one_line(why)
    if cause == "hash_mismatch":  # the sentence before names the derivation again
        line = line[max(0, line.find("specified")) :]
    return BuildFailed(f"{verdict}: {line}", cause=cause, log=detail)


def _derivation(error: Line) -> StorePath | None:
    found = _DERIVATION.search(error.text)
    return found[0] if found else error.derivation


def _subject(error: Line, packages: Sequence[Package]) -> str:
    """The package of an error, by its requested name if there is one, else by its derivation."""
    derivation = _derivation(error)
    if derivation is None:
        return "a package"
    for package in packages:
        if package.drv_path == derivation:
            return package.name
    name = derivation.removesuffix(".drv").partition("-")[2]
    return f"{name} (a dependency)" if packages else name


def _log_of(finished: Finished, error: Line) -> list[str]:
    """The last lines of the failed build, or of all builds if it is unknown which one failed."""
    printed = [line for line in finished.log if line.kind == "log" and line.text]
    derivation = _derivation(error)
    own = [line.text for line in printed if line.derivation == derivation]
    return own or [line.text for line in printed][-KEPT_LINES:]

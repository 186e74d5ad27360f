"""Failed evaluations, queries and checks, in Nix's output, as errors of nixery.errors. Pure.

build_failures.py does the same for builds, and machine_errors.py recognises faults of the machine.
"""

import re

from nixery.closure import Package
from nixery.errors import Denied, EvaluationFailed, NixeryError
from nixery.nix.build_failures import DOWNLOAD, of_build
from nixery.nix.hints import hint
from nixery.nix.lookup import MAX_ANSWER
from nixery.nix.machine_errors import (
    ended_by_signal,
    error_lines,
    of_machine,
    of_status,
    whole_text,
)
from nixery.nix.process import Finished
from nixery.nix.reason import one_line

_EXPERIMENTAL = re.compile(r"experimental (Nix )?feature '")
_RESTRICTED = re.compile(r"is forbidden\s+in\s+(restricted|pure)|allow-import-from-derivation")
_EVALUATIONS = (
    ("recursion", re.compile(r"stack overflow|max-call-depth|infinite recursion")),
    ("out_of_memory", re.compile(r"out of memory|bad_alloc|failed to allocate", re.IGNORECASE)),
    ("download_failed", DOWNLOAD),
)


def of_evaluation(
    finished: Finished, subject: str, trouble: NixeryError | None = None
) -> NixeryError:
    """``subject``: what was evaluated, such as "package 'git'", for the message.

    ``trouble``: a confirmed fault of the machine. Without it, the evaluation's text about the
    machine is not trusted.
    """
    text, log = whole_text(finished), error_lines(finished)
    said = one_line(finished.errors[-1].text if finished.errors else "")
    message = f"{subject} cannot be evaluated: {said}{hint(text)}"
    if finished.status < 0 or finished.is_cut:
        return _evaluation_stopped(finished, subject)
    # Not a fault of the machine: experimental features are off on purpose.
    if _EXPERIMENTAL.search(text):
        return EvaluationFailed(message, cause="experimental", log=log)
    if error := of_status(finished) or trouble:
        return error
    if _RESTRICTED.search(text):
        return EvaluationFailed(message, cause="restricted", log=log)
    for cause, pattern in _EVALUATIONS:
        if pattern.search(text):
            return EvaluationFailed(message, cause=cause, log=log)
    # If import from derivation is allowed, it builds during evaluation.
    error = of_build(finished, ()) if finished.has_built else None
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
        log=error_lines(finished),
    )


def of_foreign_output(package: Package) -> Denied:
    return Denied(
        f"package {package.name!r} is refused: its outputs are not those of its derivation",
        cause="malformed",
    )


def of_closure(finished: Finished) -> NixeryError:
    """The closure of valid paths fails only because of a fault of the machine."""
    return of_machine(finished) or NixeryError(
        f"Nix cannot list the closure: {one_line(whole_text(finished))}",
        cause="closure",
        log=error_lines(finished),
    )


def of_check(finished: Finished) -> NixeryError:
    """The check runs no foreign code, so its error is Nix's."""
    return of_machine(finished) or NixeryError(
        f"Nix cannot be used: {one_line(whole_text(finished))}",
        cause="check",
        log=error_lines(finished),
    )

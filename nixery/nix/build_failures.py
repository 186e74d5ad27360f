"""Failed builds, in Nix's output, as errors of nixery.errors. Pure.

Matches texts first: through the daemon every failure has status 1, and only a direct store has
different ones (100 build, 101 timeout, 102 hash). The texts are those of Nix 2.8, 2.26 and 2.34.
"""

import re
from collections.abc import Sequence

from nixery.closure import Package, StorePath
from nixery.errors import BuildFailed, Denied, DerivationCollected, NixeryError, TimedOut
from nixery.nix.build_log import KEPT_LINES
from nixery.nix.events import Line
from nixery.nix.machine_errors import (
    ended_by_signal,
    error_lines,
    of_machine,
    own_text,
    whole_text,
)
from nixery.nix.process import Finished
from nixery.nix.reason import one_line
from nixery.nix.substituters import are_builds_disabled, unanswered

_DERIVATION = re.compile(r"/nix/store/[0-9a-z]{32}-[^'!^\s]+?\.drv")

DOWNLOAD = re.compile(
    r"unable to download '|unable to access '|[Ff]ailed to fetch git|program 'git' failed"
    r"|[Cc]annot find Git revision"
)
# builtin:fetchurl fails like a builder.
_FETCHING = re.compile(r"\s*error: (?P<reason>unable to download '.*)")
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
    ("download_failed", DOWNLOAD, "cannot be downloaded"),
    ("log_limit", re.compile(r"killed after writing more than"), "wrote too long a log"),
    ("no_output", re.compile(r"failed to produce output path"), "did not make its output"),
    ("build_failed", re.compile(r"builder for '|Cannot build '"), "failed to build"),
)
_TIMED_OUT = 101


def of_realisation(
    finished: Finished, packages: Sequence[Package], trouble: NixeryError | None = None
) -> NixeryError:
    """``packages``: the requested ones; a dependency of them may have failed.

    ``trouble``: a confirmed fault of the machine.
    """
    text, log = whole_text(finished), error_lines(finished)
    if finished.status < 0:
        return BuildFailed(ended_by_signal(finished), cause="killed", log=log)
    if error := trouble or of_machine(finished):
        return error
    if error := _builds_disabled(finished, packages) or of_build(finished, packages):
        return _with_unanswered(error, finished, packages)
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


def _with_unanswered(
    error: NixeryError, finished: Finished, packages: Sequence[Package]
) -> NixeryError:
    """The error, after the binary cache that did not answer, if there is one."""
    host = unanswered(finished)
    if host is None:
        return error
    lines = (*finished.errors, *finished.preparation)
    failed = next(filter(_derivation, lines), lines[0])
    message = (
        f"{host} did not answer, so {_subject(failed, packages)} was to be built from source: "
        f"{error.message}"
    )
    return type(error)(message, cause=error.cause, log=error.log)


def of_build(finished: Finished, packages: Sequence[Package]) -> NixeryError | None:
    """None if the output is about something else."""
    return (
        _no_builder(finished, packages)
        or _timed_out(finished, packages)
        or _build_failed(finished, packages)
    )


def _builds_disabled(finished: Finished, packages: Sequence[Package]) -> BuildFailed | None:
    for error in finished.errors:
        if are_builds_disabled(error.text):
            wanted = next(filter(_derivation, (error, *finished.preparation)), error)
            return BuildFailed(
                f"{_subject(wanted, packages)} is in no binary cache, and this server does not "
                "build (max-jobs is 0)",
                cause="no_local_builds",
                log=error_lines(finished),
            )
    return None


def _no_builder(finished: Finished, packages: Sequence[Package]) -> Denied | None:
    for error in finished.errors:
        needed = _NEEDED.search(own_text(error))
        if needed and _PLATFORM.search(own_text(error)):
            features = f" with features {needed['features']}" if needed["features"] else ""
            return Denied(
                f"no builder for {needed['system']}{features} is available "
                f"to build {_subject(error, packages)}",
                cause="no_builder",
                log=error_lines(finished),
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

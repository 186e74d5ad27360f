"""What Nix said before it failed, as the errors that clients are told. Pure.

The text is matched first: through the daemon every failure ends with status 1, and only a
direct store tells them apart (100 build, 101 timeout, 102 hash). The texts are those of Nix
2.8, 2.26 and 2.34.
"""

import re
from collections.abc import Sequence

from nixery.closure import Package, StorePath
from nixery.errors import BuildFailed, Denied, EvaluationFailed, NixeryError, StorageFull, TimedOut
from nixery.nix.process import Finished

MAX_REASON = 300  # characters; terminals wrap, but a message should stay one

_DERIVATION = re.compile(r"/nix/store/[0-9a-z]{32}-(?P<name>[^'!^\s]+?)\.drv")

_DAEMON = re.compile(
    r"cannot connect to (daemon|socket)|cannot open connection to remote store"
    r"|Nix daemon disconnected|unexpected end-of-file"
)
_STORE = re.compile(
    r"(Permission denied|Read-only file system)$|build-users-group"
    r"|experimental Nix feature|cannot figure out user name|requires a newer version of Nix"
)
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded")

_RESTRICTED = re.compile(r"is forbidden\s+in\s+(restricted|pure)|allow-import-from-derivation")
_DOWNLOAD = re.compile(
    r"unable to download '|unable to access '|[Ff]ailed to fetch git|program 'git' failed"
    r"|[Cc]annot find Git revision"
)
_FETCHING = re.compile(r"error: unable to download '")  # builtin:fetchurl fails as a builder does
_PHYSICAL = re.compile(r" at '[^']*'")
_RECURSION = re.compile(r"stack overflow|max-call-depth|infinite recursion")
_MEMORY = re.compile(r"out of memory|bad_alloc|Out of memory|failed to allocate", re.IGNORECASE)

_NO_BUILDER = re.compile(
    r"(?:a |[Rr]equired system: )'(?P<system>[^']+)'(?: with features \{(?P<features>[^}]*)\})?"
)
_PLATFORM = re.compile(r"is required to build|platform mismatch|system or feature not available")
_TIMEOUT = re.compile(r"timed out after (?P<seconds>\d+) seconds")
_COLLECTED = re.compile(r"\.drv' is not valid|path '[^']*\.drv' does not exist|don't know how to")
_BUILDS = (
    ("hash_mismatch", re.compile(r"hash mismatch in fixed-output derivation"), "has another hash"),
    ("download_failed", _DOWNLOAD, "cannot be downloaded"),
    ("log_limit", re.compile(r"killed after writing more than"), "wrote too long a log"),
    ("no_output", re.compile(r"failed to produce output path"), "did not make its output"),
    ("build_failed", re.compile(r"builder for '|Cannot build '"), "failed to build"),
)
_EXIT = {101: "builder_timeout", 102: "hash_mismatch"}


def first_line(text: str) -> str:
    """What fits the one line of a message."""
    return shorten(next((line for line in text.splitlines() if line.strip()), ""))


def shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"


def lines_of(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in text.splitlines() if line.strip()]


def of_machine(finished: Finished) -> NixeryError | None:
    """Trouble that is not the package set's: no Nix, no daemon, no room."""
    text = "\n".join(finished.errors)
    said = [line.text for line in finished.log]
    if finished.status in (126, 127):
        hint = first_line(said[-1]) if said else "command not found"
        return NixeryError(f"Nix cannot be run, install it: {hint}", cause="no_nix", log=said)
    if _DAEMON.search(text):
        return NixeryError(
            f"the Nix daemon cannot be reached ({first_line(text)}): see that it runs and that "
            "allowed-users in its nix.conf has the server's user",
            cause="no_daemon",
            log=lines_of(finished.errors),
        )
    if _NO_SPACE.search(text):
        return StorageFull(
            "the disk of the Nix store is full",
            cause="nix_store_full",
            log=lines_of(finished.errors),
        )
    if any(_STORE.search(error) for error in finished.errors):
        return NixeryError(
            f"the Nix store cannot be used: {first_line(finished.errors[-1])}",
            cause="no_store",
            log=lines_of(finished.errors),
        )
    if finished.status < 0:
        return NixeryError(
            f"Nix was killed by signal {-finished.status}, perhaps for want of memory",
            cause="killed",
            log=said,
        )
    return None


def of_evaluation(finished: Finished, subject: str) -> NixeryError:
    """``subject``: what was evaluated, such as "package 'git'", for the message."""
    if error := of_machine(finished):
        return error
    text = "\n".join(finished.errors)
    log = lines_of(finished.errors)
    reason = first_line(finished.errors[-1]) if finished.errors else "Nix gave no reason"
    message = f"{subject} cannot be evaluated: {reason}"
    if _RESTRICTED.search(text):
        hint = "NIXERY_ALLOWED_PATHS, NIXERY_ALLOWED_URIS and NIXERY_ALLOW_IFD allow more"
        return EvaluationFailed(f"{message} ({hint})", cause="restricted", log=log)
    if _RECURSION.search(text):
        return EvaluationFailed(message, cause="recursion", log=log)
    if _MEMORY.search(text):
        return EvaluationFailed(message, cause="out_of_memory", log=log)
    # Import-from-derivation, where it is allowed, builds during the evaluation.
    if error := _of_build(finished, ()):
        return error
    return EvaluationFailed(message, cause="evaluation", log=log)


def of_realisation(finished: Finished, packages: Sequence[Package]) -> NixeryError:
    if error := of_machine(finished) or _of_build(finished, packages):
        return error
    text = "\n".join(finished.errors)
    if _COLLECTED.search(text):
        return NixeryError(
            "the garbage collector took a derivation before it was built: pull again",
            cause="collected",
            log=lines_of(finished.errors),
        )
    reason = first_line(text) or "Nix gave no reason"
    return BuildFailed(f"the build failed: {reason}", cause="build", log=lines_of(finished.errors))


def of_closure(finished: Finished) -> NixeryError:
    if error := of_machine(finished):
        return error
    reason = first_line("\n".join(finished.errors)) or "Nix gave no reason"
    return NixeryError(
        f"Nix cannot list the closure: {reason}", cause="closure", log=lines_of(finished.errors)
    )


def _of_build(finished: Finished, packages: Sequence[Package]) -> NixeryError | None:
    for error in finished.errors:
        if _PLATFORM.search(error) and (needed := _NO_BUILDER.search(error)):
            what = needed["system"] + (
                f" with features {needed['features']}" if needed["features"] else ""
            )
            return Denied(
                f"no builder for {what} is there to make {_subject(error, packages)}",
                cause="no_builder",
                log=lines_of([error]),
            )
    for error in finished.errors:
        if timeout := _TIMEOUT.search(error):
            return TimedOut(
                f"{_subject(error, packages)} was not built within "
                f"{timeout['seconds']} seconds (NIX_TIMEOUT)",
                cause="builder_timeout",
                log=_log_of(finished, _derivation(error)),
            )
    for cause, pattern, verdict in _BUILDS:
        for error in finished.errors:
            if pattern.search(error):
                return _build_failed(finished, packages, error, cause, verdict)
    if finished.status in _EXIT and finished.errors:
        cause = _EXIT[finished.status]
        kind = TimedOut if cause == "builder_timeout" else BuildFailed
        return kind(first_line(finished.errors[0]), cause=cause, log=lines_of(finished.errors))
    return None


def _build_failed(
    finished: Finished, packages: Sequence[Package], error: str, cause: str, verdict: str
) -> BuildFailed:
    log = _log_of(finished, _derivation(error))
    if cause == "build_failed" and (download := next(filter(_FETCHING.match, log), None)):
        cause, verdict, reason = "download_failed", "cannot be downloaded", shorten(download)
    elif cause == "build_failed" and log:
        reason = shorten(log[-1])
    else:
        reason = shorten(_PHYSICAL.sub("", error))
    subject = _subject(error, packages)
    return BuildFailed(
        f"{subject} {verdict}: {reason}", cause=cause, log=[*log, *lines_of(finished.errors)]
    )


def _derivation(error: str) -> StorePath | None:
    found = _DERIVATION.search(error)
    return found[0] if found else None


def _subject(error: str, packages: Sequence[Package]) -> str:
    """The package in an error, by the name that was asked for, else that of its derivation."""
    found = _DERIVATION.search(error)
    if not found:
        return "a file" if _DOWNLOAD.search(error) else "a package"
    for package in packages:
        if package.drv_path == found[0]:
            return package.name
    return f"{found['name']} (a dependency)" if packages else found["name"]


def _log_of(finished: Finished, derivation: StorePath | None) -> list[str]:
    """The build's own last lines, or those of all builds where it is not known whose they are."""
    printed = [line for line in finished.log if line.kind == "log" and line.text]
    own = [line.text for line in printed if line.derivation == derivation]
    return own or [line.text for line in printed]

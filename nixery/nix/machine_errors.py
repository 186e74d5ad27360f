"""Faults of the machine in Nix's output: no Nix, no daemon, no disk space. Pure.

Package authors must not be able to cause such a result, because it starts gc, alarms the operator
and is not cached. Nix's errors contain texts of others:

- With a daemon, the last lines of a builder follow "last 10 log lines:".
- Values of a derivation are in quotes or braces: ``a 'no space' is required to build …``.
- An evaluation's error is the package set's own text: ``throw "no space"``.
- A message during a build may be the builder's (events.py).

So an error is searched without the texts of others, and only if it is certainly Nix's. An
evaluation's or an uncertain message about the machine is a suspicion, which the caller compares
with the machine itself (client.py).
"""

import re
import signal
from collections.abc import Iterable

from nixery.confinement import LAUNCHER_FAILED
from nixery.errors import NixeryError, StorageFull
from nixery.nix.events import Line
from nixery.nix.process import Finished
from nixery.nix.reason import one_line

_LOG_TAIL = re.compile(r"[;.]?\s*[Ll]ast \d+ log lines:.*", re.DOTALL)
_OTHERS_WORDS = (  # from the first quote to the last, because a text may contain quotes
    (re.compile(r"'.*'", re.DOTALL), "''"),
    (re.compile(r'".*"', re.DOTALL), '""'),
    (re.compile(r"\{.*\}", re.DOTALL), "{}"),
)

_DAEMON = re.compile(
    r"cannot connect to (daemon|socket)|cannot open connection to remote store"
    r"|Nix daemon disconnected|unexpected end-of-file"
)
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded")
# Starts with Nix's own words. A full disk may also be an I/O error.
_DATABASE = re.compile(
    r"[A-Za-z ]*(SQLite|statement|transaction)\b.*: "
    r"(?P<why>database or disk is full|disk I/O error)",
    re.DOTALL,
)
_STORE = re.compile(
    r"(Permission denied|Read-only file system)$"
    r"|the group '' (specified in '' )?does not exist|the build users group '' has no members"
    r"|is world-writable or a symlink|^creating directory ['\"]{2}: [A-Z][a-z ]+$"
    r"|experimental Nix feature|cannot figure out user name|requires a newer version of Nix"
)
# A builder cannot be run, or Nix without root may not read a file that a builder created.
_OF_A_PACKAGE = re.compile(
    r"executing ['\"]|[a-z ]+ ['\"][^'\"]*/nix/store/[0-9a-z]{32}-[^'\"/]+/[^'\"]*['\"]: Permission"
)


def own_text(line: Line) -> str:
    """Removes the end of the builder's log."""
    return _LOG_TAIL.sub("", line.text)


def whole_text(finished: Finished) -> str:
    """All errors, without the ends of builders' logs."""
    return "\n".join(own_text(error) for error in finished.errors)


def error_lines(finished: Finished) -> list[str]:
    """The lines of all errors, for the details of an answer."""
    lines = (line for error in finished.errors for line in error.text.splitlines())
    return [line for line in lines if line.strip()]


def of_machine(finished: Finished) -> NixeryError | None:
    """The fault that Nix's own errors and its status report."""
    return of_status(finished) or of_errors(finished.errors) or of_signal(finished)


def of_status(finished: Finished) -> NixeryError | None:
    """The fault if Nix did not run."""
    text = "\n".join(error.text for error in finished.errors)
    if finished.status in (126, 127):
        said = finished.log[-1].text if finished.log else text
        return NixeryError(f"Nix cannot be run, install it: {one_line(said)}", cause="no_nix")
    if finished.status == LAUNCHER_FAILED:
        return NixeryError(f"Nix cannot be started: {one_line(text)}", cause="not_confined")
    return None


def of_errors(errors: Iterable[Line]) -> NixeryError | None:
    said = [(_without_others_words(error), own_text(error)) for error in errors]
    log = [line for _, text in said for line in text.splitlines() if line.strip()]
    for words, text in said:
        if _DAEMON.search(words):
            return NixeryError(
                f"the Nix daemon cannot be reached ({one_line(text)}): check that it runs, "
                "and that allowed-users in its nix.conf includes the server's user",
                cause="no_daemon",
                log=log,
            )
        database = _DATABASE.match(text)
        if _NO_SPACE.search(words) or (database and database["why"] != "disk I/O error"):
            return store_full(log)
        if database or (_STORE.search(words) and not _OF_A_PACKAGE.match(text)):
            return NixeryError(
                f"the Nix store cannot be used: {one_line(text)}", cause="no_store", log=log
            )
    return None


def store_full(log: Iterable[str]) -> StorageFull:
    return StorageFull("the disk of the Nix store is full", cause="nix_store_full", log=tuple(log))


def of_signal(finished: Finished) -> NixeryError | None:
    if finished.is_cut:
        return NixeryError("Nix printed more than allowed on stdout", cause="too_much_output")
    if finished.status < 0:
        log = [error.text for error in finished.errors]
        return NixeryError(ended_by_signal(finished), cause="killed", log=log)
    return None


def ended_by_signal(finished: Finished) -> str:
    name = signal.Signals(-finished.status).name
    return f"Nix was killed by {name}, perhaps because it exceeded its memory limit"


def _without_others_words(error: Line) -> str:
    text = own_text(error)
    for pattern, nothing in _OTHERS_WORDS:
        text = pattern.sub(nothing, text)
    return text

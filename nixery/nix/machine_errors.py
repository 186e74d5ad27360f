"""Trouble of the machine in what Nix said: no Nix, no daemon, no room. Pure.

Nobody who writes packages may cause such a verdict, since it wakes gc, alarms the operator and is
not remembered. The text of an error is Nix's, but others' words are part of it:

- A builder's last lines stand below "last 10 log lines:", where a daemon builds.
- Values of a derivation stand in quotes or braces: ``a 'no space' is required to build …``.
- What an evaluation fails with is the package set's own text, as a whole: ``throw "no space"``.
- A message that came while a build was running may be the builder's (events.py).

So an error is searched without the words of others, and only if it is certainly Nix's. What an
evaluation or an uncertain message says of the machine is a suspicion, which the caller compares
with what the machine itself shows (client.py).
"""

import re
import signal
from collections.abc import Iterable

from nixery.confinement import LAUNCHER_FAILED
from nixery.errors import NixeryError, StorageFull
from nixery.nix.events import Line, first_line
from nixery.nix.process import Finished

_LOG_TAIL = re.compile(r"[;.]?\s*[Ll]ast \d+ log lines:.*", re.DOTALL)
_OTHERS_WORDS = (  # from the first quote to the last: a word may hold a quote itself
    (re.compile(r"'.*'", re.DOTALL), "''"),
    (re.compile(r'".*"', re.DOTALL), '""'),
    (re.compile(r"\{.*\}", re.DOTALL), "{}"),
)

_DAEMON = re.compile(
    r"cannot connect to (daemon|socket)|cannot open connection to remote store"
    r"|Nix daemon disconnected|unexpected end-of-file"
)
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded")
# Begins with Nix's own words. A full disk may be an I/O error, too.
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
# A builder that cannot be run, or a file that it made, which Nix may not read where it is not root.
_OF_A_PACKAGE = re.compile(
    r"executing ['\"]|[a-z ]+ ['\"][^'\"]*/nix/store/[0-9a-z]{32}-[^'\"/]+/[^'\"]*['\"]: Permission"
)


def own_text(line: Line) -> str:
    """Without the end of the builder's log."""
    return _LOG_TAIL.sub("", line.text)


def reason(text: str) -> str:
    return first_line(text) or "Nix gave no reason"


def of_machine(finished: Finished) -> NixeryError | None:
    """What Nix's own errors and its status say of the machine."""
    return of_status(finished) or of_errors(finished.errors) or of_signal(finished)


def of_status(finished: Finished) -> NixeryError | None:
    """Where no Nix ran."""
    text = "\n".join(error.text for error in finished.errors)
    if finished.status in (126, 127):
        said = finished.log[-1].text if finished.log else text
        return NixeryError(f"Nix cannot be run, install it: {reason(said)}", cause="no_nix")
    if finished.status == LAUNCHER_FAILED:
        return NixeryError(f"Nix cannot be started: {reason(text)}", cause="not_confined")
    return None


def of_errors(errors: Iterable[Line]) -> NixeryError | None:
    said = [(_without_others_words(error), own_text(error)) for error in errors]
    log = [line for _, text in said for line in text.splitlines() if line.strip()]
    for words, text in said:
        if _DAEMON.search(words):
            return NixeryError(
                f"the Nix daemon cannot be reached ({reason(text)}): see that it runs and that "
                "allowed-users in its nix.conf has the server's user",
                cause="no_daemon",
                log=log,
            )
        database = _DATABASE.match(text)
        if _NO_SPACE.search(words) or (database and database["why"] != "disk I/O error"):
            return store_full(log)
        if database or (_STORE.search(words) and not _OF_A_PACKAGE.match(text)):
            return NixeryError(
                f"the Nix store cannot be used: {reason(text)}", cause="no_store", log=log
            )
    return None


def store_full(log: Iterable[str]) -> StorageFull:
    return StorageFull("the disk of the Nix store is full", cause="nix_store_full", log=tuple(log))


def of_signal(finished: Finished) -> NixeryError | None:
    if finished.is_cut:
        return NixeryError("Nix printed more than it may on stdout", cause="too_much_output")
    if finished.status < 0:
        log = [error.text for error in finished.errors]
        return NixeryError(ended_by_signal(finished), cause="killed", log=log)
    return None


def ended_by_signal(finished: Finished) -> str:
    name = signal.Signals(-finished.status).name
    return f"Nix was ended by {name}, perhaps because it needed more memory than it may have"


def _without_others_words(error: Line) -> str:
    text = own_text(error)
    for pattern, nothing in _OTHERS_WORDS:
        text = pattern.sub(nothing, text)
    return text

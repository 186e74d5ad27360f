"""Errors of the machine, and texts of packages that imitate them."""

import pytest
from support.nix_failures import DRV, HASH, HELLO, finished

from nixery.errors import (
    BuildFailed,
    EvaluationFailed,
    NixeryError,
    StorageFull,
)
from nixery.nix.build_failures import of_realisation
from nixery.nix.failures import of_check, of_closure, of_evaluation
from nixery.nix.machine_errors import of_errors


@pytest.mark.parametrize(
    ("failure", "kind", "cause"),
    [
        (finished(status=127), NixeryError, "no_nix"),
        (
            finished(
                "cannot open connection to remote store 'daemon': error: reading from file: "
                "Connection reset by peer"
            ),
            NixeryError,
            "no_daemon",
        ),
        (
            finished(
                "cannot connect to socket at '/nix/var/nix/daemon-socket/socket': No such file"
            ),
            NixeryError,
            "no_daemon",
        ),
        (finished("creating directory '/nix': Permission denied"), NixeryError, "no_store"),
        (finished("creating directory '/x': No such file or directory"), NixeryError, "no_store"),
        (
            finished(
                "the group 'nixbld' specified in 'build-users-group' does not exist", status=1
            ),
            NixeryError,
            "no_store",
        ),
        (
            finished("executing SQLite query 'x': disk I/O error (in '/nix/var/nix/db.sqlite')"),
            NixeryError,
            "no_store",
        ),
        (
            finished("executing SQLite query 'x': database or disk is full (in '/x/db.sqlite')"),
            StorageFull,
            "nix_store_full",
        ),
        (
            finished("writing to file: No space left on device", status=1),
            StorageFull,
            "nix_store_full",
        ),
    ],
)
@pytest.mark.parametrize(
    "verdict",
    [
        lambda failure: of_evaluation(failure, "package 'git'", of_errors(failure.errors)),
        lambda failure: of_realisation(failure, [HELLO]),
        of_closure,
        of_check,
    ],
    ids=["evaluate", "realise", "closure", "check"],
)
def test_trouble_of_the_machine(verdict, failure, kind, cause):
    """It is not the fault of any package, so it is not remembered as a failed build."""
    error = verdict(failure)
    assert (type(error), error.cause) == (kind, cause)


WORDS = [
    "No space left on device",
    "Nix daemon disconnected unexpectedly",
    "creating directory '/nix': Permission denied",
    "timed out after 60 seconds",
    "a 'riscv64-linux' with features {} is required to build 'x'",
    f"path '{DRV}' is not valid",
]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize(
    "failure",
    [
        lambda words: finished(f"builder for '{DRV}' failed with exit code 3", claims=[words]),
        lambda words: finished(
            f"builder for '{DRV}' failed with exit code 1;\nlast 2 log lines:\n> a\n> {words}"
        ),
        lambda words: finished(
            f"Cannot build '{DRV}'.\nReason: builder failed with exit code 1.\n"
            f"Output paths:\n  /nix/store/x\nLast 2 log lines:\n> {words}\n> {words}"
        ),
    ],
    ids=["message", "log, 2.8", "log, 2.34"],
)
def test_words_of_a_builder(words, failure):
    """They are not evidence, neither about the machine nor about another package."""
    error = of_realisation(failure(words), [HELLO])
    assert (type(error), error.cause) == (BuildFailed, "build_failed")
    assert error.message.startswith("hello failed to build")


@pytest.mark.parametrize(
    "text",
    [
        f"a 'x'; No space left on device' with features {{}} is required to build '{DRV}'",
        f"a 'x' with features {{No space left on device}} is required to build '{DRV}', but I am",
        f"executing '/nix/store/{HASH}-hello': Permission denied",
        f"reading directory '/srv/store/nix/store/{HASH}-hello-2.12.1/secret': Permission denied",
        "a 'executing SQLite query: database or disk is full' is required to build 'x'",
        "unsupported system 'Read-only file system', 'cannot connect to daemon'",
    ],
)
def test_words_of_a_derivation(text):
    """A package is responsible for its system's name, and for the program that Nix executes."""
    error = of_realisation(finished(text), [HELLO])
    assert error.status in (403, 404)


@pytest.mark.parametrize("words", WORDS)
def test_words_of_an_evaluation(words):
    """Any text can be thrown; only the machine itself shows its trouble."""
    error = of_evaluation(finished(words, has_built=False), "package 'git'")
    assert isinstance(error, EvaluationFailed)
    full = StorageFull("full")
    assert of_evaluation(finished(words), "package 'git'", full) is full

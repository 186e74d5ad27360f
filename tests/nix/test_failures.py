"""The texts are those that Nix 2.8, 2.26 and 2.34 print, through a direct store and the daemon."""

import pytest

from nixery.closure import Package
from nixery.errors import (
    BuildFailed,
    Denied,
    DerivationCollected,
    EvaluationFailed,
    NixeryError,
    StorageFull,
    TimedOut,
)
from nixery.nix.events import MAX_REASON, Line
from nixery.nix.failures import of_check, of_closure, of_evaluation, of_realisation
from nixery.nix.machine_errors import of_errors
from nixery.nix.process import Finished

HASH = "kvprb6ragzg16hz9gxnzy7gpb028ii4s"
DRV = f"/nix/store/{HASH}-hello-2.12.1.drv"
OTHER = f"/nix/store/{HASH}-glibc-2.40.drv"
HELLO = Package("hello", DRV, (("out", f"/nix/store/{HASH}-hello-2.12.1"),))


def finished(*errors, status=1, log=(), claims=(), has_built=True):
    return Finished(
        status,
        b'{"partial":',
        tuple(Line("error", error, "realise") for error in errors),
        tuple(Line("log", text, "build", derivation) for derivation, text in log),
        claims=tuple(Line("claim", claim, "realise") for claim in claims),
        has_built=has_built,
    )


@pytest.mark.parametrize(
    ("errors", "kind", "cause", "message"),
    [
        (
            [f"builder for '{DRV}' failed with exit code 3"],
            BuildFailed,
            "build_failed",
            "hello failed to build: the last line",
        ),
        (
            [f"Cannot build '{DRV}'.\nReason: builder failed with exit code 3.\nOutput paths:"],
            BuildFailed,
            "build_failed",
            "hello failed to build: the last line",
        ),
        (
            [
                f"builder for '{OTHER}' failed with exit code 1",
                f"1 dependencies of derivation '{DRV}' failed to build",
            ],
            BuildFailed,
            "build_failed",
            "glibc-2.40 (a dependency) failed to build: of glibc",
        ),
        (
            [f"building of '{DRV}!out' from .drv file timed out after 60 seconds"],
            TimedOut,
            "builder_timeout",
            "hello was not built within 60 seconds (NIX_TIMEOUT)",
        ),
        (
            ["timed out after 60 seconds"],
            TimedOut,
            "builder_timeout",
            "a package was not built within 60 seconds (NIX_TIMEOUT)",
        ),
        (
            [
                (
                    f"a 'aarch64-linux' with features {{}} is required to build '{DRV}', "
                    "but I am a 'x86_64-linux' with features {benchmark, kvm}"
                )
            ],
            Denied,
            "no_builder",
            "no builder for aarch64-linux is available to build hello",
        ),
        (
            [
                (
                    f"Cannot build '{DRV}'.\nReason: platform mismatch\n"
                    "Required system: 'aarch64-linux'\nCurrent system: 'x86_64-linux'"
                )
            ],
            Denied,
            "no_builder",
            "no builder for aarch64-linux is available to build hello",
        ),
        (
            [
                (
                    f"a 'x86_64-linux' with features {{kvm}} is required to build '{DRV}', "
                    "but I am a 'x86_64-linux' with features {}"
                )
            ],
            Denied,
            "no_builder",
            "no builder for x86_64-linux with features kvm is available to build hello",
        ),
        (
            [f"hash mismatch in fixed-output derivation '{DRV}':\n  specified: sha256-A\n  got: B"],
            BuildFailed,
            "hash_mismatch",
            (
                f"hello has another hash: hash mismatch in fixed-output derivation '{DRV}': "
                "specified: sha256-A got: B"
            ),
        ),
        (
            ["unable to download 'https://cache.example/x.nar': HTTP error 500"],
            BuildFailed,
            "download_failed",
            (
                "a package cannot be downloaded: "
                "unable to download 'https://cache.example/x.nar': HTTP error 500"
            ),
        ),
        (
            [f"'{DRV}' killed after writing more than 1000 bytes of log output"],
            BuildFailed,
            "log_limit",
            (
                f"hello wrote too long a log: '{DRV}' killed after writing more than 1000 bytes "
                "of log output"
            ),
        ),
        (
            [f"builder for '{DRV}' failed to produce output path for output 'out' at '/r/nix/x'"],
            BuildFailed,
            "no_output",
            (
                f"hello did not make its output: builder for '{DRV}' failed to produce output path "
                "for output 'out'"
            ),
        ),
        (["something new"], BuildFailed, "build", "the build failed: something new"),
        ([], BuildFailed, "build", "the build failed: Nix gave no reason"),
        (
            [f"opening file '/srv/store{DRV}': No such file or directory"],
            DerivationCollected,
            "collected",
            "the garbage collector removed a derivation before it was built: pull again",
        ),
        (
            [f"path '{DRV}' is not valid"],
            DerivationCollected,
            "collected",
            "the garbage collector removed a derivation before it was built: pull again",
        ),
    ],
)
def test_realisation(errors, kind, cause, message):
    log = [(OTHER, "of glibc"), (DRV, "a line"), (DRV, "the last line")]
    error = of_realisation(finished(*errors, log=log), [HELLO])
    assert (type(error), error.cause, error.message) == (kind, cause, message)


def test_timeout_of_a_build_that_nix_does_not_name():
    """The reader of the events may know which build it was."""
    told = Line("error", "timed out after 5 seconds", "realise", DRV)
    error = of_realisation(Finished(1, b"", (told,), ()), [HELLO])
    assert error.message == "hello was not built within 5 seconds (NIX_TIMEOUT)"


def test_exit_code_where_the_text_is_unknown():
    """The status of a store without a daemon still tells a timeout."""
    assert isinstance(of_realisation(finished("mystery", status=101), [HELLO]), TimedOut)


def test_download_that_fails_as_a_builder():
    """builtin:fetchurl reports in its log what failed."""
    log = [(DRV, "error:"), (DRV, "       error: unable to download 'http://x': refused")]
    error = of_realisation(
        finished(f"builder for '{DRV}' failed with exit code 1", log=log), [HELLO]
    )
    assert error.cause == "download_failed"
    assert error.message.endswith("unable to download 'http://x': refused")


def test_detail_is_the_builds_own_log():
    """Then Nix's message."""
    text = f"builder for '{DRV}' failed with exit code 3"
    log = [(DRV, "mine"), (OTHER, "of another build")]
    assert of_realisation(finished(text, log=log), [HELLO]).log == ("mine", text)


def test_message_is_one_short_line():
    log = [(DRV, "word\t" * 1000)]
    error = of_realisation(finished(f"builder for '{DRV}' failed", log=log), [HELLO])
    assert "\n" not in error.message
    assert len(error.message) < MAX_REASON + 40


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("access to absolute path '/etc/hostname' is forbidden in restricted mode", "restricted"),
        ("access to URI 'http://x' is forbidden in restricted mode", "restricted"),
        (
            (
                f"cannot build '{DRV}' during evaluation because the option "
                "'allow-import-from-derivation' is disabled"
            ),
            "restricted",
        ),
        (
            (
                "experimental Nix feature 'flakes' is disabled; use "
                "'--extra-experimental-features flakes' to override"
            ),
            "experimental",
        ),
        ("stack overflow (possible infinite recursion)", "recursion"),
        ("stack overflow; max-call-depth exceeded", "recursion"),
        ("infinite recursion encountered", "recursion"),
        ("out of memory", "out_of_memory"),
        ("unable to download 'http://x/tiny.tar.gz': HTTP error 404", "download_failed"),
        ("cannot coerce an integer to a string", "evaluation"),
    ],
)
def test_evaluation(error, cause):
    """All are EvaluationFailed, with the innermost message in one line."""
    verdict = of_evaluation(finished("an outer error", error), "package 'git'")
    assert isinstance(verdict, EvaluationFailed)
    assert verdict.cause == cause
    assert verdict.message.startswith(f"package 'git' cannot be evaluated: {error}")
    assert ("NIXERY_ALLOWED_PATHS" in verdict.message) == (cause == "restricted")


@pytest.mark.parametrize("number", [6, 9, 11])
def test_ended_by_a_signal(number):
    """A package that takes all memory: an answer that is remembered, and no fault of the server."""
    error = of_evaluation(finished(status=-number), "package 'git'")
    assert isinstance(error, EvaluationFailed)
    assert "package 'git' cannot be evaluated: Nix was killed by SIG" in error.message
    assert isinstance(of_realisation(finished(status=-number), ()), BuildFailed)
    assert type(of_closure(finished(status=-number))) is NixeryError


def test_build_during_evaluation():
    """Import-from-derivation fails as builds do."""
    text = f"builder for '{DRV}' failed with exit code 3"
    error = of_evaluation(finished(text, log=[(DRV, "no")]), "package 'git'")
    assert isinstance(error, BuildFailed)
    assert error.message == "hello-2.12.1 failed to build: no"


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


def test_failed_dependency_through_a_daemon():
    """Nix's own message about it looks like a builder's if another build was running."""
    claim = f"builder for '{OTHER}' failed with exit code 1"
    last = f"Cannot build '{DRV}'.\nReason: 1 dependency failed.\nOutput paths:"
    log = [(OTHER, "of glibc"), (DRV, "no")]
    error = of_realisation(finished(last, claims=[claim], log=log), [HELLO])
    assert error.message == "glibc-2.40 (a dependency) failed to build: of glibc"


def test_closure():
    assert of_closure(finished("path '/nix/store/x' is not valid")).cause == "closure"


def test_check():
    error = of_check(finished("no such option"))
    assert error.message.startswith("Nix cannot be used: no such option")

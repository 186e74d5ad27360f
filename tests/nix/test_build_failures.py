"""Errors of builds, through a store without a daemon and with one."""

import pytest
from support.nix_failures import DRV, HASH, HELLO, OTHER, finished

from nixery.errors import (
    BuildFailed,
    Denied,
    DerivationCollected,
    TimedOut,
)
from nixery.nix.build_failures import of_realisation
from nixery.nix.events import Line
from nixery.nix.process import Finished
from nixery.nix.reason import MAX_REASON


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
            ("hello has another hash: specified sha256-A, got B"),
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


def test_failed_dependency_through_a_daemon():
    """Nix's own message about it looks like a builder's if another build was running."""
    claim = f"builder for '{OTHER}' failed with exit code 1"
    last = f"Cannot build '{DRV}'.\nReason: 1 dependency failed.\nOutput paths:"
    log = [(OTHER, "of glibc"), (DRV, "no")]
    error = of_realisation(finished(last, claims=[claim], log=log), [HELLO])
    assert error.message == "glibc-2.40 (a dependency) failed to build: of glibc"


DOWN = "unable to download 'https://cache.example/nix-cache-info': Could not resolve host"
DISABLED = [
    "unable to start any build; either increase '--max-jobs' or enable remote builds.",
    "\n    Unable to start any build;\n    either increase '--max-jobs' or enable remote builds.",
    f"Cannot build '{DRV}'.\nReason: local builds are disabled (max-jobs = 0)\nHint: set …",
]


@pytest.mark.parametrize("text", DISABLED, ids=["2.8", "2.26", "2.34"])
def test_a_server_that_does_not_build(text):
    """Some versions name the derivation only before."""
    said = ("this derivation will be built:", f"  {DRV}")
    error = of_realisation(finished(text, preparation=said), [HELLO])
    assert isinstance(error, BuildFailed)
    assert error.cause == "no_local_builds"
    assert error.message == (
        "hello is in no binary cache, and this server does not build (max-jobs is 0)"
    )


@pytest.mark.parametrize(
    ("warning", "host"),
    [
        (f"warning: error: {DOWN}; retrying in 259 ms", "cache.example"),
        (f"warning: {DOWN}", "cache.example"),
        (DOWN.replace("cache.example", "user:secret@cache.example:8443"), "cache.example:8443"),
        (f"unable to download 'https://cache.example/{HASH}.narinfo': timeout", "cache.example"),
        (f"unable to download 'https://cache.example/{HASH}.narinfo': HTTP error 404", None),
        ("unable to download 'https://files.example/x.tar.gz': Could not connect", None),
        (DOWN.replace("cache.example", "cache.example%0a<b>"), None),
    ],
)
def test_a_binary_cache_that_did_not_answer_comes_first(warning, host):
    failed = f"builder for '{DRV}' failed with exit code 1"
    error = of_realisation(
        finished(failed, log=[(DRV, "it is broken")], preparation=[warning]), [HELLO]
    )
    verdict = "hello failed to build: it is broken"
    before = f"{host} did not answer, so hello was to be built from source: " if host else ""
    assert error.message == before + verdict
    assert error.cause == "build_failed"

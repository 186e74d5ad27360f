"""Errors of evaluation, and of queries to the store."""

import pytest
from support.nix_failures import DRV, finished

from nixery.errors import (
    BuildFailed,
    EvaluationFailed,
    NixeryError,
)
from nixery.nix.build_failures import of_realisation
from nixery.nix.failures import of_check, of_closure, of_evaluation


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
    assert ("NIXERY_" in verdict.message) == (cause in ("restricted", "experimental"))


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


def test_closure():
    assert of_closure(finished("path '/nix/store/x' is not valid")).cause == "closure"


def test_check():
    error = of_check(finished("no such option"))
    assert error.message.startswith("Nix cannot be used: no such option")

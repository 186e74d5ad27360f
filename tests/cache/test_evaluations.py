"""Names evaluated before."""

from nixery.cache import Evaluations
from nixery.closure import Package
from nixery.image_name import Architecture

GIT = Package("git", "/nix/store/git.drv", (("out", "/nix/store/git"),))
HELLO = Package("hello", "/nix/store/hello.drv", (("out", "/nix/store/hello"),))
AMD64 = Architecture.AMD64


def known(evaluations, *names, identity="set", architecture=AMD64):
    return evaluations.get(identity, architecture, names)


def test_all_names_in_their_order_or_nothing(clock):
    evaluations = Evaluations(clock, None)
    evaluations.put("set", AMD64, [GIT])
    assert known(evaluations, "git", "hello") is None
    evaluations.put("set", AMD64, [HELLO])
    assert known(evaluations, "hello", "git") == (HELLO, GIT)


def test_another_set_or_system_is_another_evaluation(clock):
    evaluations = Evaluations(clock, None)
    evaluations.put("set", AMD64, [GIT])
    assert not known(evaluations, "git", identity="other")
    assert not known(evaluations, "git", architecture=Architecture.ARM64)


def test_pinned_results_stay(clock):
    evaluations = Evaluations(clock, None)
    evaluations.put("set", AMD64, [GIT])
    clock.forward(1e9)
    assert known(evaluations, "git")


def test_what_may_have_been_downloaded_is_looked_at_again(clock):
    evaluations = Evaluations(clock, 60)
    evaluations.put("set", AMD64, [GIT])
    clock.forward(59)
    assert known(evaluations, "git")
    clock.forward(1)
    assert not known(evaluations, "git")

"""Names evaluated before."""

from dataclasses import replace

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


def test_an_interpreter_and_a_module_are_cached_together_only(clock):
    """Apart they are other packages, and the environment does not stand for the interpreter."""
    evaluations = Evaluations(clock, None)
    python = Package("python", "/nix/store/p.drv", (), role="interpreter")
    module = Package("module", "/nix/store/m.drv", (), role="module")
    environment = replace(python, drv_path="/nix/store/e.drv", combined=True)
    names = ("module", "python")
    evaluations.put("set", AMD64, [python])
    evaluations.put("set", AMD64, [module])
    assert evaluations.get("set", AMD64, names) is None
    evaluations.put("set", AMD64, [module, environment])
    assert evaluations.get("set", AMD64, names) == (module, environment)
    assert evaluations.get("set", AMD64, ("python",)) == (python,)

"""Answers to clients, and the number of calls of Nix for them."""

import pytest
from support.registry import pull

from nixery.errors import (
    BuildFailed,
    NameInvalid,
    PackageNotFound,
    SourceUnavailable,
    TagUnknown,
    TimedOut,
)

pytestmark = pytest.mark.anyio


async def test_a_failure_is_remembered_and_then_tried_again(registry):
    registry.nix.failures["realise"] = BuildFailed("hello-1.0 failed to build: no")
    async with registry.opened() as answers:
        for _ in range(2):  # HEAD, then GET
            with pytest.raises(BuildFailed):
                await answers.image("hello", "latest")
        assert registry.nix.steps == ["evaluate", "realise"]
        registry.clock.forward(60)
        registry.nix.failures.clear()
        await answers.image("hello", "latest")


async def test_a_source_that_does_not_answer_is_asked_again_at_once(registry):
    registry.source.answers["latest"] = SourceUnavailable("packages.test does not answer")
    async with registry.opened() as answers:
        for _ in range(2):
            with pytest.raises(SourceUnavailable):
                await answers.image("hello", "latest")
    assert registry.source.asked == ["latest", "latest"]


@pytest.mark.parametrize(("name", "tag"), [("Hello", "latest"), ("hello", "a/b"), ("", "latest")])
async def test_an_invalid_name_never_reaches_nix(registry, name, tag):
    with pytest.raises(NameInvalid):
        await pull(registry, name, tag)
    assert not registry.nix.calls
    assert not registry.source.asked


async def test_an_unknown_tag_never_reaches_nix(registry):
    with pytest.raises(TagUnknown):
        await pull(registry, tag="none")
    assert not registry.nix.calls


@pytest.mark.parametrize("step", ["evaluate", "realise", "closure"])
async def test_the_time_limit_bounds_every_step(registry, step):
    registry.request_timeout = 1
    registry.nix.hold(step)
    with pytest.raises(TimedOut, match="1 seconds"):
        await pull(registry)
    assert registry.nix.cancelled == [step]


async def test_an_unknown_package_is_named(registry):
    with pytest.raises(PackageNotFound, match="gti"):
        await pull(registry, "gti")

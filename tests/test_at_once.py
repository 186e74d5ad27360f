"""Many clients, several replicas, and one that ends."""

import asyncio
from dataclasses import replace

import pytest
from support.fake_source import resolved
from support.registry import LIMITS, pull

from nixery.errors import (
    ShuttingDown,
    TooBusy,
)
from nixery.image_name import parse
from nixery.lease import Leases
from nixery.oci import Format

pytestmark = pytest.mark.anyio


async def test_two_tags_of_one_content_are_built_once(registry):
    registry.source.answers["other"] = resolved("2" * 40)
    gate = registry.nix.hold("realise")
    async with registry.opened() as answers:
        pulling = [asyncio.create_task(answers.image("hello", t)) for t in ("latest", "other")]
        await gate.entered.wait()
        gate.release.set()
        one, other = await asyncio.gather(*pulling)
    assert registry.nix.steps.count("realise") == 1
    assert one.manifests == other.manifests


async def test_two_replicas_build_once(registry):
    """The second waits for the first one's manifest."""
    gate = registry.nix.hold("realise")
    async with registry.opened("1") as one, registry.opened("2") as two:
        first = asyncio.create_task(one.image("hello", "latest"))
        await gate.entered.wait()
        second = asyncio.create_task(two.image("hello", "latest"))
        await registry.clock.sleeping(2)  # the first one's heart, the second one's patience
        gate.release.set()
        made = await first
        registry.clock.forward(1)
        found = await second
    assert registry.nix.steps.count("realise") == 1
    assert found.manifests == made.manifests


async def test_a_dead_replicas_build_is_taken_over(registry):
    lease = await Leases(registry.storage, registry.clock.sleep).take(
        registry.recipe.outputs_key(
            [registry.nix.packages[name] for name in parse("hello").packages], parse("hello")
        )
    )
    assert lease
    async with registry.opened() as answers:
        pulling = asyncio.create_task(answers.image("hello", "latest"))
        await registry.clock.sleeping()
        registry.clock.forward(31)
        await pulling


async def test_a_build_continues_for_the_next_request(registry):
    gate = registry.nix.hold("realise")
    async with registry.opened() as answers:
        leaver = asyncio.create_task(answers.image("hello", "latest"))
        await gate.entered.wait()
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        comer = asyncio.create_task(answers.image("hello", "latest"))
        gate.release.set()
        await comer
    assert registry.nix.steps.count("realise") == 1


async def test_a_queued_image_without_waiting_clients_is_dropped(registry):
    registry.limits = replace(LIMITS, builds=1)
    gate = registry.nix.hold("realise")
    async with registry.opened() as answers:
        running = asyncio.create_task(answers.image("hello", "latest"))
        await gate.entered.wait()
        waiting = asyncio.create_task(answers.image("git", "latest"))
        while registry.nix.steps.count("evaluate") < 2:  # noqa: ASYNC110 - nothing to wait for
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        gate.release.set()
        await running
    assert registry.nix.steps.count("realise") == 1


@pytest.mark.parametrize(("step", "doing"), [("evaluate", "evaluated"), ("realise", "built")])
async def test_a_long_wait_is_refused(registry, step, doing):
    """And cached pulls go on meanwhile."""
    await pull(registry, "git")
    registry.limits, registry.patience = replace(LIMITS, builds=1), 0.01
    gate = registry.nix.hold(step)
    async with registry.opened() as answers:
        running = asyncio.create_task(answers.image("hello", "latest"))
        await gate.entered.wait()
        with pytest.raises(TooBusy, match=f"1 images are being {doing}"):
            await answers.image("hello/git", "latest")
        assert (await answers.image("git", "latest")).cache == "local"
        gate.release.set()
        await running


async def test_concurrent_requests_run_nix_once(registry):
    gate = registry.nix.hold("evaluate")
    async with registry.opened() as answers:
        pulling = [asyncio.create_task(answers.image("hello", "latest")) for _ in range(20)]
        await gate.entered.wait()
        gate.release.set()
        images = await asyncio.gather(*pulling)
    assert registry.nix.steps == ["evaluate", "realise", "closure"]
    assert len({image.manifests[Format.OCI].digest for image in images}) == 1


async def test_the_number_of_concurrent_images_is_limited(registry):
    registry.limits = replace(LIMITS, builds=1)
    gate = registry.nix.hold("realise")
    async with registry.opened() as answers:
        first = asyncio.create_task(answers.image("hello", "latest"))
        await gate.entered.wait()
        second = asyncio.create_task(answers.image("git", "latest"))
        await asyncio.sleep(0)
        assert registry.nix.steps.count("realise") == 1
        gate.release.set()
        await asyncio.gather(first, second)


@pytest.mark.parametrize("step", ["evaluate", "realise", "closure"])
async def test_closing_cancels_running_builds(registry, step):
    gate = registry.nix.hold(step)
    async with registry.opened() as answers:
        pulling = asyncio.create_task(answers.image("hello", "latest"))
        await gate.entered.wait()
    assert registry.nix.cancelled == [step]
    with pytest.raises(ShuttingDown):
        await pulling

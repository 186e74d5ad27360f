"""The plan of an image, with the server's storage and without."""

from dataclasses import replace

import pytest
from support.registry import pull

from nixery.errors import ConfigurationError
from nixery.layers.tables import Units, encode_units
from nixery.standalone import build, report
from nixery.standalone.planning import choose, plan
from nixery.standalone.prepare import Order, prepared
from nixery.tables.published import Published

pytestmark = pytest.mark.anyio

TOGETHER = encode_units(Units((("hello", "libc"),), {}))
OTHERWISE = encode_units(Units((("cacert", "iana-etc"),), {}))


def publish(registry, data):
    published = Published(registry.storage)
    return published.publish("units", data, published.current("units")).version


async def planned(tools, storage, version=None):
    chosen = choose(tools, storage, version)
    async with prepared(tools, Order("hello", version)) as image:
        return plan(image, tools, storage, chosen)


def shape(found):
    """Names in each layer, with the reason."""
    return sorted(
        (tuple(path.partition("-")[2] for path in layer.paths), layer.why) for layer in found.layers
    )


ALONE = [((name,), "alone") for name in ("cacert", "hello", "iana-etc", "libc")]
UNIT = sorted([(("hello", "libc"), "together"), (("cacert",), "alone"), (("iana-etc",), "alone")])


async def test_no_tables_without_a_storage(tools):
    found = await planned(tools, None)
    assert (shape(found), found.tables, found.origin) == (ALONE, {}, "now")


async def test_the_tables_that_count_plan_it(registry, tools):
    version = publish(registry, TOGETHER)
    found = await planned(tools, registry.storage)
    assert (shape(found), found.tables, found.origin) == (UNIT, {"units": version}, "now")


@pytest.mark.parametrize("forgotten", [False, True], ids=["tables kept", "tables gone"])
async def test_what_was_served_keeps_its_layers(registry, tools, forgotten):
    """Whatever was published since; its reasons are the original ones."""
    version = publish(registry, TOGETHER)
    await pull(registry)
    publish(registry, OTHERWISE)
    if forgotten:
        del registry.storage.objects[f"tables/units/{version}"]
    found = await planned(tools, registry.storage)
    assert (shape(found), found.tables, found.origin) == (UNIT, {"units": version}, "before")


async def test_chosen_tables_win(registry, tools):
    version = publish(registry, TOGETHER)
    publish(registry, OTHERWISE)
    await pull(registry)
    found = await planned(tools, registry.storage, version)
    assert (shape(found), found.tables, found.origin) == (UNIT, {"units": version}, "chosen")


@pytest.mark.parametrize("has_storage", [True, False])
def test_tables_that_are_not_there_are_missed_before_anything_is_built(
    registry, tools, has_storage, monkeypatch
):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(build, "prepared", never)
    storage = registry.storage if has_storage else None
    with pytest.raises(ConfigurationError, match=f"no (?:storage|.*table).*{'0' * 64}"):
        build.plan_only(Order("hello", "0" * 64), tools, storage)


@pytest.mark.parametrize("version", ["", "units", "a\nb", "../current"])
def test_invalid_versions(registry, tools, version):
    """An empty variable in a script is reported as such, in one line."""
    publish(registry, TOGETHER)
    with pytest.raises(ConfigurationError) as caught:
        build.plan_only(Order("hello", version), tools, registry.storage)
    assert caught.value.message == (
        f"the storage has no table {version!r} for the strategy units: "
        "nixery tables --all lists the versions"
    )
    assert tools.nix.steps == []


def test_an_unreadable_table_is_missing(registry, tools):
    version = publish(registry, b"{}")
    with pytest.raises(ConfigurationError, match=f"has no table .*{version}"):
        choose(tools, registry.storage, version)


def test_a_strategy_without_tables_accepts_none(registry, tools):
    tools = replace(tools, layering="size")
    version = publish(registry, TOGETHER)
    with pytest.raises(
        ConfigurationError, match=f"size reads no tables: remove --tables '{version}'"
    ):
        choose(tools, registry.storage, version)


async def test_nothing_is_written(registry, tools):
    publish(registry, TOGETHER)
    await pull(registry)
    before = {key: registry.storage.stat(key) for key in registry.storage.objects}
    await planned(tools, registry.storage)
    assert {key: registry.storage.stat(key) for key in registry.storage.objects} == before


async def test_a_plan_as_text(registry, tools):
    version = publish(registry, TOGETHER)
    async with prepared(tools, Order("hello")) as image:
        found = plan(image, tools, registry.storage)
    said = report.as_json(image, found, tools)
    assert said["tables"] == {"units": version}
    assert [layer["why"] for layer in said["layers"]] == [layer.why for layer in found.layers]
    assert sum(layer["size"] for layer in said["layers"]) == said["size"] == image.closure.size
    assert sum(p["size"] for layer in said["layers"] for p in layer["paths"]) == said["size"]
    text = report.text(image, found, tools)
    assert version in text
    assert all(info.path in text for info in image.closure.paths)
    assert text.count("together") == 1


async def test_the_rest_is_shown_with_its_largest_paths(tools):
    """And only then single paths are called large."""
    tools = replace(tools, layer_budget=2)
    async with prepared(tools, Order("git")) as image:
        found = plan(image, tools, None)
    text = report.text(image, found, tools)
    assert text.count("the rest") == 1
    assert text.count("one of the largest") == 1
    assert len(image.closure.paths) == 4
    assert "more" not in text  # three are shown


async def test_the_reason_is_that_of_the_strategy(tools):
    tools = replace(tools, layering="dominator")
    async with prepared(tools, Order("git")) as image:
        found = plan(image, tools, None)
    assert "together" in {layer.why for layer in found.layers}
    text = report.text(image, found, tools)
    assert "one of them alone needs the others" in text
    assert "requested apart" not in text

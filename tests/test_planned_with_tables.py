"""Images and the tables they are planned with, by processes that share a storage."""

import json
from dataclasses import replace

import pytest
from support.registry import LIMITS, pull

from nixery.layers.tables import Popularity, Units, encode_popularity, encode_units
from nixery.oci import Format
from nixery.tables.published import Published
from nixery.tables.request_record import decode

pytestmark = pytest.mark.anyio

TOGETHER = encode_units(Units((("hello", "libc"),), {}))
OTHERWISE = encode_units(Units((("cacert", "hello"), ("iana-etc", "libc")), {}))


def publish(registry, data, kind="units"):
    published = Published(registry.storage)
    return published.publish(kind, data, published.current(kind)).version


def plan(registry):
    """Of the only image: names in each layer, and the versions of tables."""
    (key,) = (key for key in registry.storage.objects if key.startswith("plans/"))
    content = json.loads(registry.storage.objects[key])
    layers = [[path.partition("-")[2] for path in layer] for layer in content["layers"]]
    return layers, content["tables"]


def lose(registry, *kinds):
    for key in [key for key in registry.storage.objects if key.startswith(kinds)]:
        del registry.storage.objects[key]


async def test_without_tables_every_path_is_alone(registry):
    await pull(registry)
    layers, tables = plan(registry)
    assert sorted(layers) == [["cacert"], ["hello"], ["iana-etc"], ["libc"]]
    assert tables == {}


async def test_units_share_a_layer_and_the_plan_names_the_table(registry):
    version = publish(registry, TOGETHER)
    await pull(registry)
    layers, tables = plan(registry)
    assert sorted(layers) == [["cacert"], ["hello", "libc"], ["iana-etc"]]
    assert tables == {"units": version}


async def test_the_same_tables_give_the_same_digest_everywhere(registry):
    """After a restart that kept only the tables, and by another replica."""
    publish(registry, TOGETHER)
    first = await pull(registry)
    for replica in ("one", "two"):
        lose(registry, "layers/", "builds/", "manifests/", "plans/")
        again = await pull(registry, replica=replica)
        assert (again.manifests, again.cache) == (first.manifests, "none")


async def test_a_table_of_another_replica_is_used_for_the_next_image(registry):
    async with registry.opened("one") as one:
        publish(registry, TOGETHER)
        first = await one.image("hello", "latest")
        publish(registry, OTHERWISE)
        second = await one.image("hello/git", "latest")
    layers = [json.loads(image.manifests[Format.OCI].data)["layers"] for image in (first, second)]
    assert [len(found) for found in layers] == [3 + 1, 3 + 1]
    assert {"libc", "cacert"} <= {name for layer in together(registry) for name in layer}


def together(registry):
    for key, data in registry.storage.objects.items():
        if key.startswith("plans/"):
            for layer in json.loads(data)["layers"]:
                if len(layer) > 1:
                    yield [path.partition("-")[2] for path in layer]


@pytest.mark.parametrize(
    "lost",
    [(), ("manifests/",), ("layers/",), ("layers/", "builds/", "manifests/")],
    ids=lambda lost: " ".join(lost) or "nothing",
)
async def test_new_tables_leave_an_acknowledged_digest_alone(registry, lost):
    """Also if the image has to be built again; its plan is used again."""
    publish(registry, TOGETHER)
    first = await pull(registry)
    publish(registry, OTHERWISE)
    if lost:
        lose(registry, *lost)
    assert (await pull(registry, replica="another")).manifests == first.manifests


async def test_tables_decide_once_the_plan_is_lost(registry):
    """The tests above would hold as well if tables changed nothing."""
    publish(registry, TOGETHER)
    first = await pull(registry)
    publish(registry, OTHERWISE)
    lose(registry, "layers/", "manifests/", "plans/")
    assert (await pull(registry, replica="another")).manifests != first.manifests


async def test_the_classic_strategy_plans_with_popularity(registry):
    """Popular paths have a separate layer.

    Libc would otherwise be grouped with hello, its only user.
    """
    registry.limits = replace(LIMITS, layering="dominator")
    publish(registry, encode_popularity(Popularity({"libc": 9000})), "popularity")
    await pull(registry)
    layers, tables = plan(registry)
    assert ["libc"] in layers
    assert list(tables) == ["popularity"]
    lose(registry, "")
    await pull(registry, replica="another")
    assert ["hello", "libc"] in plan(registry)[0]


async def test_each_requested_image_is_recorded_once(registry):
    for _ in range(2):
        made = await pull(registry)
    records = [key for key in registry.storage.objects if key.startswith("asked/")]
    assert len(records) == 1
    asked, manifests = decode(registry.storage.objects[records[0]])
    assert set(manifests) == {made.manifests[form].digest for form in Format}
    assert sorted(path.partition("-")[2] for path in asked.packages) == [
        "cacert",
        "hello",
        "iana-etc",
    ]
    assert len(asked.closure.paths) == 4


async def test_nothing_is_recorded_where_nothing_is_learned(registry):
    registry.limits = replace(LIMITS, layering="size")
    await pull(registry)
    assert not [key for key in registry.storage.objects if key.startswith("asked/")]


async def test_a_storage_that_takes_no_records_serves_images(registry, monkeypatch):
    write = registry.storage.write

    def refuse(key, *arguments):
        if key.startswith("asked/"):
            raise OSError("no room")
        return write(key, *arguments)

    monkeypatch.setattr(registry.storage, "write", refuse)
    assert (await pull(registry)).cache == "none"

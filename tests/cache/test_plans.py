"""Plans: replayed, agreed on, and never trusted blindly."""

import pytest

from nixery.cache import Plans, StoredPlan
from nixery.cache.plans import decode, encode
from nixery.closure import Closure, PathInfo

KEY = "0" * 64
CLOSURE = Closure(tuple(PathInfo(f"/nix/store/{name}", 1, ()) for name in "abc"))
PLAN = StoredPlan((("/nix/store/c",), ("/nix/store/a", "/nix/store/b")), {"units": "v1"})
OTHER = StoredPlan((("/nix/store/a", "/nix/store/b", "/nix/store/c"),), {})


def test_a_plan_is_read_back_as_it_was():
    assert decode(encode(PLAN)) == PLAN


def test_a_plan_is_replayed(storage):
    assert Plans(storage).find(KEY, CLOSURE) is None
    Plans(storage).agree(KEY, PLAN, CLOSURE)
    assert Plans(storage).find(KEY, CLOSURE) == PLAN


def test_the_first_plan_wins(storage):
    assert Plans(storage).agree(KEY, PLAN, CLOSURE) == PLAN
    assert Plans(storage).agree(KEY, OTHER, CLOSURE) == PLAN


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b'{"layers":1,"tables":{}}', b'{"layers":[["/nix/store/a"]],"tables":{}}'],
    ids=["empty", "nothing in it", "no layers", "another closure"],
)
def test_a_plan_of_no_use_is_replaced(storage, data):
    storage.objects[f"plans/{KEY}"] = data
    assert Plans(storage).find(KEY, CLOSURE) is None
    assert Plans(storage).agree(KEY, PLAN, CLOSURE) == PLAN
    assert Plans(storage).find(KEY, CLOSURE) == PLAN

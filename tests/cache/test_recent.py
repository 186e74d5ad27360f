"""A dictionary of bounded size."""

from nixery.cache.recent import Recent


def test_what_was_not_used_for_longest_goes():
    recent = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    recent.get("a")
    recent.put("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]


def test_a_dropped_entry_is_missing():
    recent = Recent(2)
    recent.put("a", 1)
    recent.drop("a")
    recent.drop("never there")
    assert recent.get("a") is None

"""Distinct inputs give distinct keys, equal inputs equal ones."""

from hypothesis import given
from hypothesis import strategies as st

from nixery import image_name
from nixery.cache.keys import Recipe, by_content
from nixery.closure import Package
from nixery.source import ResolvedSource

NAMES = st.lists(
    st.sampled_from(["git", "hub", "github", "hello", "arm64", "shell", "a", "b", "ab"]),
    min_size=1,
    max_size=4,
).map("/".join)
REVISIONS = st.sampled_from(["1" * 40, "2" * 40])
URLS = st.sampled_from(["https://a.test/x", "https://a.test/y"])
OPTIONS = st.fixed_dictionaries({"level": st.integers(1, 3), "config": st.sampled_from(["", "u"])})
INPUTS = st.tuples(URLS, REVISIONS, NAMES, OPTIONS)


def source(url, revision):
    return ResolvedSource(url=url, revision=revision, identity=revision or "x")


def recipe(options, *, self_contained=True):
    evaluation, image = {"config": options.get("config")}, {"level": options.get("level")}
    return Recipe(evaluation, self_contained, image)


def source_key(url, revision, name, options):
    return recipe(options).source_key(source(url, revision), image_name.parse(name))


def outputs_key(_url, _revision, name, options):
    request = image_name.parse(name)
    packages = [
        Package(n, f"/nix/store/{n}.drv", (("out", f"/nix/store/{n}"),)) for n in request.packages
    ]
    return recipe(options).outputs_key(packages, request)


@given(INPUTS, INPUTS)
def test_source_keys_are_as_distinct_as_what_they_name(one, other):
    meaning = [(*i[:2], image_name.parse(i[2]), sorted(i[3].items())) for i in (one, other)]
    assert (source_key(*one) == source_key(*other)) == (meaning[0] == meaning[1])


@given(INPUTS, INPUTS)
def test_output_keys_are_as_distinct_as_what_they_name(one, other):
    meaning = [(image_name.parse(i[2]), i[3]["level"]) for i in (one, other)]
    assert (outputs_key(*one) == outputs_key(*other)) == (meaning[0] == meaning[1])


def test_the_go_servers_collisions():
    url, revision, options = "https://a.test/x", "1" * 40, {}
    assert source_key(url, revision, "git/hub", options) != source_key(
        url, revision, "github", options
    )
    assert source_key(url, revision, "arm64/hello", options) != source_key(
        url, revision, "hello", options
    )


def test_an_unpinned_source_has_no_key():
    git = image_name.parse("git")
    assert recipe({}).source_key(source("/srv/pkgs", None), git) is None
    reads_elsewhere = recipe({}, self_contained=False)
    assert reads_elsewhere.source_key(source("https://a.test/x", "1" * 40), git) is None


def test_the_two_kinds_never_meet():
    assert by_content("source", {"a": 1}) != by_content("outputs", {"a": 1})


def test_the_same_outputs_in_another_order_are_another_image():
    """The first of two packages that provide the same file wins."""
    request = image_name.parse("a/b")
    one = [Package("a", "", (("out", "/1"),)), Package("b", "", (("out", "/2"),))]
    assert recipe({}).outputs_key(one, request) != recipe({}).outputs_key(one[::-1], request)


def test_derivations_do_not_matter():
    """Only the contents of the image do."""
    request = image_name.parse("a")
    one = [Package("a", "/x.drv", (("out", "/1"),))]
    other = [Package("A", "/y.drv", (("bin", "/1"),))]
    assert recipe({}).outputs_key(one, request) == recipe({}).outputs_key(other, request)

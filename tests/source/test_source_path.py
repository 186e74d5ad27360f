"""Package sets on this machine."""

import time

import pytest
from support.clock import Clock
from support.fake_source import tree_of

from nixery.errors import ConfigurationError, SourceUnavailable, TagUnknown
from nixery.source import SourceTree
from nixery.source.path import PathSource
from nixery.source.ttl_cache import TtlCache

pytestmark = [pytest.mark.anyio, pytest.mark.machine]


def path_source(path, tags, *, clock=time.monotonic, ttl=0):
    return PathSource(path, tags, TtlCache(ttl, clock))


@pytest.fixture
def package_set(tmp_path):
    path = tmp_path / "tree" / "pkgs"
    path.mkdir(parents=True)
    (path / "default.nix").write_text("{ }")
    return path


async def test_directory(package_set):
    """A directory with a default.nix, which is all that may be read."""
    source = path_source(package_set, ["latest"])
    assert await tree_of(source, "latest") == SourceTree(package_set, package_set)
    resolved = await source.resolve("latest")
    assert (resolved.url, resolved.revision) == (package_set.as_uri(), None)


async def test_file(package_set):
    file = package_set / "default.nix"
    source = await tree_of(path_source(file, ["latest"]), "latest")
    assert (source.path, source.root) == (file, file)


@pytest.mark.parametrize("kind", ["directory", "file"])
async def test_root_is_the_enclosing_repository(package_set, kind):
    """The nearest ``.git`` is used, whether a directory, or a file as in a linked work tree."""
    tree = package_set.parent
    (tree.parent / ".git").mkdir()
    if kind == "directory":
        (tree / ".git").mkdir()
    else:
        (tree / ".git").write_text("gitdir: elsewhere")
    source = await tree_of(path_source(package_set / "default.nix", ["latest"]), "latest")
    assert source.root == tree


async def test_links_are_followed_on_each_request(package_set, tmp_path):
    """A link can be switched to another set between two requests, and its target is readable."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "default.nix").write_text("{ }")
    link = tmp_path / "current"
    link.symlink_to(package_set)
    source = path_source(link, ["latest"])
    assert (await tree_of(source, "latest")).path == package_set
    link.unlink()
    link.symlink_to(other)
    assert await tree_of(source, "latest") == SourceTree(other, other)
    link.unlink()
    with pytest.raises(SourceUnavailable):
        await tree_of(source, "latest")


async def test_tags(package_set):
    """Only the operator's tags, or any."""
    source = path_source(package_set, ["latest", "stable"])
    await source.resolve("stable")
    for tag in ("nope", "a" * 40, "LATEST"):
        with pytest.raises(TagUnknown, match=tag):
            await source.resolve(tag)
    assert await path_source(package_set, ["*"]).resolve("nope")


def test_invalid_package_sets(tmp_path, package_set):
    """The operator reads what to do, in one line, before the server starts."""
    for path, words in (
        (tmp_path / "missing", "does not exist"),
        (package_set.parent, "no default.nix"),
        (package_set.relative_to(tmp_path), "absolute"),
        (package_set / "default.nix" / "x", "does not exist"),
    ):
        with pytest.raises(ConfigurationError, match=words) as caught:
            path_source(path, ["latest"])
        assert "NIXERY_PKGS_PATH" in caught.value.message


async def test_a_deep_edit_is_noticed_after_the_time_to_live(package_set):
    """A file far below, of the same size: found when it is looked at again, not before."""
    deep = package_set / "a" / "b" / "c.nix"
    deep.parent.mkdir(parents=True)
    deep.write_text("1")
    clock = Clock()
    source = path_source(package_set, ["latest"], clock=clock, ttl=60)
    before = await source.resolve("latest")
    deep.write_text("2")
    clock.forward(59)
    assert await source.resolve("latest") == before
    clock.forward(1)
    assert await source.resolve("latest") != before


async def test_an_unchanged_set_keeps_its_identity(package_set):
    """After a restart as well."""
    one = await path_source(package_set, ["latest"]).resolve("latest")
    assert await path_source(package_set, ["latest"]).resolve("latest") == one


async def test_what_git_does_changes_nothing(package_set):
    (package_set / ".git").mkdir()
    source = path_source(package_set, ["latest"])
    before = await source.resolve("latest")
    (package_set / ".git" / "index").write_text("changed")
    # the directory .git itself is new content of its parent; its contents are ignored
    assert await source.resolve("latest") == before

"""Package sets on this machine."""

import pytest

from nixery.errors import ConfigurationError, SourceUnavailable, TagUnknown
from nixery.source import ResolvedSource
from nixery.source.path import PathSource

pytestmark = pytest.mark.anyio


@pytest.fixture
def package_set(tmp_path):
    path = tmp_path / "tree" / "pkgs"
    path.mkdir(parents=True)
    (path / "default.nix").write_text("{ }")
    return path


async def test_directory(package_set):
    """A directory with a default.nix, which is all that may be read."""
    source = await PathSource(package_set, ["latest"]).resolve("latest")
    assert source == ResolvedSource(
        path=package_set, root=package_set, url=package_set.as_uri(), revision=None
    )


async def test_file(package_set):
    file = package_set / "default.nix"
    source = await PathSource(file, ["latest"]).resolve("latest")
    assert (source.path, source.root) == (file, file)


@pytest.mark.parametrize("kind", ["directory", "file"])
async def test_root_is_the_enclosing_repository(package_set, kind):
    """The nearest ``.git`` counts, whether a directory, or a file as in a linked work tree."""
    tree = package_set.parent
    (tree.parent / ".git").mkdir()
    if kind == "directory":
        (tree / ".git").mkdir()
    else:
        (tree / ".git").write_text("gitdir: elsewhere")
    source = await PathSource(package_set / "default.nix", ["latest"]).resolve("latest")
    assert source.root == tree


async def test_links_are_followed_anew(package_set, tmp_path):
    """A link can be switched to another set between two requests, and its target is readable."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "default.nix").write_text("{ }")
    link = tmp_path / "current"
    link.symlink_to(package_set)
    source = PathSource(link, ["latest"])
    assert (await source.resolve("latest")).path == package_set
    link.unlink()
    link.symlink_to(other)
    second = await source.resolve("latest")
    assert (second.path, second.root, second.url) == (other, other, link.as_uri())
    link.unlink()
    with pytest.raises(SourceUnavailable):
        await source.resolve("latest")


async def test_tags(package_set):
    """Only the operator's tags, or any."""
    source = PathSource(package_set, ["latest", "stable"])
    await source.resolve("stable")
    for tag in ("nope", "a" * 40, "LATEST"):
        with pytest.raises(TagUnknown, match=tag):
            await source.resolve(tag)
    assert await PathSource(package_set, ["*"]).resolve("nope")


def test_what_is_no_package_set(tmp_path, package_set):
    """The operator is told what to do, in one line, before the server starts."""
    for path, words in (
        (tmp_path / "missing", "no such file"),
        (package_set.parent, "no default.nix"),
        (package_set.relative_to(tmp_path), "absolute"),
        (package_set / "default.nix" / "x", "no such file"),
    ):
        with pytest.raises(ConfigurationError, match=words) as caught:
            PathSource(path, ["latest"])
        assert "NIXERY_PKGS_PATH" in caught.value.message

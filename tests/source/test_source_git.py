"""A git repository as package source: the revision of each tag, and refused tags."""

import pytest
from support.fake_source import tree_of
from support.source.revisions import revision

from nixery.errors import TagUnknown

pytestmark = [pytest.mark.anyio, pytest.mark.machine]

PULL_REQUEST = "refs/pull/1/head"


async def test_every_kind_of_tag(make, repository):
    """Branches, tags (annotated twice, too), HEAD as latest, commits."""
    first = repository.commit("1")
    repository.git("tag", "light")
    repository.git("tag", "--annotate", "--message=x", "once")
    repository.git("tag", "--annotate", "--message=x", "twice", "once")
    second = repository.commit("2")
    repository.git("branch", "release-24.05")
    third = repository.commit("3")
    source = make()
    for tag, commit in (
        ("light", first),
        ("once", first),
        ("twice", first),
        ("release-24.05", second),
        ("main", third),
        ("latest", third),
        (third, third),
        (second, second),
        (first, first),
    ):
        assert await revision(source, tag) == commit


async def test_resolved_tags(make, repository, tmp_path):
    """The tree's last component is the same everywhere; it may be read, and nothing above it."""
    commit = repository.commit("{ a = 1; }")
    resolved = await make().resolve("main")
    assert (resolved.url, resolved.revision) == (repository.path.as_uri(), commit)
    tree = await make().read(resolved)
    assert tree.path == tree.root == tmp_path / "state" / "sources" / commit / "source"
    assert (tree.path / "default.nix").read_text() == "{ a = 1; }"


async def test_branch_wins_over_tag(make, repository):
    """Of a branch and a tag with one name; the tag is found where the branch is not allowed."""
    first = repository.commit("1")
    repository.git("tag", "both")
    second = repository.commit("2")
    repository.git("branch", "both")
    assert await revision(make(), "both") == second
    assert await revision(make("refs/tags/*"), "both") == first


async def test_moves_are_seen(make, repository):
    """A branch names its current commit, and nothing after it was deleted."""
    source = make()
    first = repository.commit("1")
    assert await revision(source, "main") == first
    second = repository.commit("2")
    assert await revision(source, "main") == second
    repository.git("branch", "gone")
    assert await revision(source, "gone") == second
    repository.git("branch", "--delete", "gone")
    with pytest.raises(TagUnknown):
        await tree_of(source, "gone")


@pytest.mark.parametrize("offered", [True, False], ids=["partial", "full"])
async def test_commits_outside_the_allowed_refs(make, repository, offered):
    """Pull requests cannot choose the code, whether or not the mirror is a partial clone."""
    repository.git("config", "uploadpack.allowFilter", str(offered).lower())
    first = repository.commit("1")
    repository.commit("2")
    stranger = repository.commit_elsewhere(PULL_REQUEST, "stranger")
    lost = repository.commit_elsewhere("refs/heads/lost", "lost")
    repository.git("update-ref", "-d", "refs/heads/lost")
    source = make()
    assert await revision(source, first) == first
    for commit in (stranger, lost):
        with pytest.raises(TagUnknown, match=commit):
            await tree_of(source, commit)
        assert await revision(make("*", state="lifted"), commit) == commit
    assert await revision(make("refs/heads/*", "refs/pull/*", state="wide"), stranger) == stranger
    # A commit fetched for other patterns is not allowed by these.
    assert await revision(make("*"), stranger) == stranger
    assert await revision(make("refs/pull/*"), stranger) == stranger
    with pytest.raises(TagUnknown):
        await tree_of(make(), stranger)


async def test_refs_that_were_allowed_once(make, repository):
    """The mirror still has them after the patterns were narrowed; they are refused."""
    repository.commit("1")
    stranger = repository.commit_elsewhere(PULL_REQUEST, "stranger")
    on_top = repository.git("commit-tree", "-m", "x", "-p", stranger, f"{stranger}^{{tree}}")
    repository.git("update-ref", PULL_REQUEST, on_top)
    assert await revision(make("refs/heads/*", "refs/pull/*"), stranger) == stranger
    with pytest.raises(TagUnknown):
        await make().resolve(stranger)


async def test_allowed_refs_limit_names_and_head(make, repository):
    """A branch outside the patterns is unknown by name, by commit, and as HEAD."""
    first = repository.commit("1")
    repository.git("branch", "stable")
    second = repository.commit("2")
    source = make("refs/heads/stable", "refs/heads/missing")
    assert await revision(source, "stable") == first
    assert await revision(source, first) == first
    for tag in ("main", "latest", second):
        with pytest.raises(TagUnknown):
            await tree_of(source, tag)
    repository.git("branch", "--force", "stable", "main")
    assert await revision(source, "latest") == second


async def test_a_forced_push_takes_commits_back(make, repository):
    """What an allowed ref contained yesterday and does not now is refused; so after a restart."""
    first = repository.commit("1")
    second = repository.commit("2")
    third = repository.commit("3")
    source = make()
    assert await revision(source, second) == second
    repository.git("reset", "--quiet", "--hard", first)
    other = repository.commit("other")
    repository.commit("on top")
    assert await revision(source, other) == other
    for commit in (second, third):
        with pytest.raises(TagUnknown):
            await tree_of(source, commit)
        with pytest.raises(TagUnknown):
            await tree_of(make(), commit)
    assert await revision(source, first) == first


async def test_branches_that_become_directories(make, repository):
    """``a`` is deleted and ``a/b`` made: the mirror follows."""
    first = repository.commit("1")
    repository.commit("2")
    repository.git("branch", "a")
    source = make()
    assert await revision(source, first) == first
    repository.git("branch", "--delete", "a")
    repository.git("branch", "a/b")
    assert await revision(source, first) == first


async def test_forty_digits_are_a_commit(make, repository):
    """A branch that looks like a commit is not requested, nor is one in capitals taken for it."""
    commit = repository.commit("1")
    for name in ("a" * 40, commit.upper()):
        repository.git("update-ref", f"refs/heads/{name}", commit)
    source = make()
    with pytest.raises(TagUnknown):
        await tree_of(source, "a" * 40)
    assert await revision(source, commit.upper()) == commit
    with pytest.raises(TagUnknown):
        await tree_of(make("*"), "A" * 40)


async def test_objects_other_than_commits(make, repository):
    """Files, trees and annotated tags have names of 40 digits, and tags may lead to them."""
    repository.commit("1")
    repository.git("tag", "--annotate", "--message=x", "annotated")
    tree = repository.git("rev-parse", "HEAD^{tree}")
    blob = repository.git("rev-parse", "HEAD:default.nix")
    tag = repository.git("rev-parse", "annotated")
    repository.git("tag", "at-tree", tree)
    repository.git("tag", "--annotate", "--message=x", "at-blob", blob)
    for source in (make(), make("*")):
        for name in (tree, blob, tag, "at-tree", "at-blob", "0" * 40):
            with pytest.raises(TagUnknown):
                await tree_of(source, name)
    assert await tree_of(make(), "main")


@pytest.mark.parametrize(
    "tag",
    ["", "-", "--upload-pack=touch /tmp/x", "-h", "../..", "refs/heads/main", "heads/main", "main*",
     "mai?", "[m]ain", "main^{}", "main~1", "HEAD", "main\n", "\nmain", "main\0", "+main", ":main",
     "origin", "ma\u0131n", "x" * 129, "@", ".", ".."],
)  # fmt: skip
async def test_tags_that_mean_something_to_git(make, repository, tag):
    """A tag cannot become an option, a path, a pattern or another ref."""
    repository.commit("1")
    for source in (make(), make("*")):
        with pytest.raises(TagUnknown):
            await tree_of(source, tag)


async def test_latest_of_an_empty_repository(make):
    with pytest.raises(TagUnknown, match="latest"):
        await tree_of(make(), "latest")

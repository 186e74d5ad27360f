"""A git repository as package source: which tag names which revision, and which none."""

import os
import time

import anyio
import pytest
from fake_source import tree_of
from git_repository import Repository

from nixery.errors import EvaluationFailed, SourceUnavailable, TagUnknown
from nixery.source.factory import make_source
from nixery.source.git import GitSource

pytestmark = pytest.mark.anyio

PULL_REQUEST = "refs/pull/1/head"


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


@pytest.fixture
def make(tmp_path, repository):
    """A source of the repository; a second one is the server after a restart."""

    def make(*allowed, repo=None, state="state") -> GitSource:
        source = make_source(
            repo=repo or str(repository.path),
            allowed_refs=allowed or ("refs/heads/*", "refs/tags/*"),
            state_dir=tmp_path / state,
            request_timeout=60,
            resolve_ttl=0,
            clock=time.monotonic,
            environ=os.environ,
        )
        assert isinstance(source, GitSource)
        return source

    return make


async def revision(source, tag):
    """Which one the tag names; its files must be there as well."""
    resolved = await source.resolve(tag)
    await source.read(resolved)
    return resolved.revision


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


async def test_what_is_resolved(make, repository, tmp_path):
    """The tree's last component is the same everywhere; it may be read, and nothing above it."""
    commit = repository.commit("{ a = 1; }")
    resolved = await make().resolve("main")
    assert (resolved.url, resolved.revision) == (repository.path.as_uri(), commit)
    tree = await make().read(resolved)
    assert tree.path == tree.root == tmp_path / "state" / "sources" / commit / "source"
    assert (tree.path / "default.nix").read_text() == "{ a = 1; }"


async def test_branch_wins_over_tag(make, repository):
    """Of a branch and a tag of one name; the tag is found where the branch is not allowed."""
    first = repository.commit("1")
    repository.git("tag", "both")
    second = repository.commit("2")
    repository.git("branch", "both")
    assert await revision(make(), "both") == second
    assert await revision(make("refs/tags/*"), "both") == first


async def test_moves_are_seen(make, repository):
    """A branch names what it is now, and no more after it was deleted."""
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
    """Nobody's pull request chooses the code, whether or not the mirror is a partial clone."""
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
    # Known to the state directory from other patterns is not allowed by these.
    assert await revision(make("*"), stranger) == stranger
    assert await revision(make("refs/pull/*"), stranger) == stranger
    with pytest.raises(TagUnknown):
        await tree_of(make(), stranger)


async def test_refs_that_were_allowed_once(make, repository):
    """The mirror still has them after the patterns were narrowed; they count no more."""
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
    """A branch that looks like a commit is not asked for, nor one in capitals taken for it."""
    commit = repository.commit("1")
    for name in ("a" * 40, commit.upper()):
        repository.git("update-ref", f"refs/heads/{name}", commit)
    source = make()
    with pytest.raises(TagUnknown):
        await tree_of(source, "a" * 40)
    assert await revision(source, commit.upper()) == commit
    with pytest.raises(TagUnknown):
        await tree_of(make("*"), "A" * 40)


async def test_objects_that_are_no_commits(make, repository):
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
    """No tag becomes an option, a path, a pattern or another ref."""
    repository.commit("1")
    for source in (make(), make("*")):
        with pytest.raises(TagUnknown):
            await tree_of(source, tag)


async def test_latest_of_an_empty_repository(make):
    with pytest.raises(TagUnknown, match="latest"):
        await tree_of(make(), "latest")


@pytest.mark.parametrize("offered", [True, False], ids=["filter", "no-filter"])
async def test_latest_follows_a_detached_head(make, repository, offered):
    """HEAD may be no branch; servers without filters are asked in another way."""
    repository.git("config", "uploadpack.allowFilter", str(offered).lower())
    first = repository.commit("1")
    second = repository.commit("2")
    source = make()
    assert await revision(source, "latest") == second
    repository.git("checkout", "--quiet", "--detach", first)
    assert await revision(source, "latest") == first


async def test_a_server_that_forbids_this_filter(make, repository):
    """Some forges allow blob:none and nothing else: git ends with an error, we go on without."""
    repository.git("config", "uploadpackfilter.allow", "false")
    first = repository.commit("1")
    second = repository.commit("2")
    stranger = repository.commit_elsewhere(PULL_REQUEST, "stranger")
    source = make()
    assert await revision(source, "latest") == second
    assert await revision(source, first) == first
    with pytest.raises(TagUnknown):
        await tree_of(source, stranger)


async def test_the_mirror_holds_commits_only(make, repository, tmp_path):
    """Where the server offers it; no tree or file is fetched one by one either."""
    first = repository.commit("1")
    for number in range(5):
        repository.commit(str(number))
    await tree_of(make(), first)
    (mirror,) = (tmp_path / "state" / "git").glob("*/history")
    kinds = repository.git(
        f"--git-dir={mirror}", "cat-file", "--batch-check=%(objecttype)", "--batch-all-objects"
    ).split()
    assert kinds == ["commit"] * 6


async def test_a_server_that_gives_out_tips_only(make, repository, tmp_path):
    """As git over plain ssh: all of it is fetched once, and the tree read from there."""
    first = repository.commit("1")
    second = repository.commit("2")
    stranger = repository.commit_elsewhere(PULL_REQUEST, "stranger")
    repository.git("branch", "old", first)
    source = make()
    run = source._remote.git.run

    async def old_protocol(*arguments, **options):
        return await run("-c", "protocol.version=0", *arguments, **options)

    source._remote.git.run = old_protocol
    assert await revision(source, "main") == second
    repository.git("branch", "--delete", "--force", "old")
    resolved = await tree_of(source, first)
    assert (resolved.path / "default.nix").read_text() == "1"
    assert list((tmp_path / "state" / "git").glob("*/whole"))
    third = repository.commit("3")
    repository.commit("4")
    assert await revision(source, third) == third
    with pytest.raises(TagUnknown):
        await tree_of(source, stranger)


async def test_a_damaged_mirror_is_made_anew(make, repository, tmp_path):
    """Files that a power cut or a disk emptied do not refuse commits for ever."""
    first = repository.commit("1")
    repository.commit("2")
    await tree_of(make(), first)
    (mirror,) = (tmp_path / "state" / "git").glob("*/history")
    for path in (mirror / "objects" / "pack").glob("*"):
        path.chmod(0o644)
        path.write_bytes(b"")
    (mirror / "config").write_text("[broken")
    (mirror / "packed-refs.lock").touch()
    repository.commit("3")
    other = repository.commit("4")
    repository.commit("5")
    source = make()
    assert await revision(source, other) == other
    repository.git("gc", "--quiet")
    assert await revision(source, first) == first


async def test_locks_of_a_killed_git_are_removed(make, repository, tmp_path):
    first = repository.commit("1")
    repository.commit("2")
    assert await revision(make(), first) == first
    (mirror,) = (tmp_path / "state" / "git").glob("*/history")
    left = [mirror / "packed-refs.lock", mirror / "refs" / "heads" / "main.lock",
            mirror / "objects" / "pack" / "tmp_pack_x"]  # fmt: skip
    for path in left:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()
    second = repository.commit("3")
    repository.commit("4")
    assert await revision(make(), second) == second
    assert not any(path.exists() for path in left)


async def test_no_package_set(make, repository):
    """A revision without default.nix is the maintainers' fault; no path of ours is shown."""
    repository.commit("1")
    repository.git("rm", "--quiet", "default.nix")
    repository.git("commit", "--quiet", "--message=x", "--allow-empty")
    with pytest.raises(EvaluationFailed, match=r"no default\.nix") as caught:
        await tree_of(make(), "main")
    assert "sources" not in caught.value.message


async def test_the_remote_is_gone(make, repository):
    """503 that names the repository; what is asked again afterwards works."""
    first = repository.commit("1")
    second = repository.commit("2")
    source = make()
    away = repository.path.rename(repository.path.with_name("away"))
    for tag in ("main", "latest", first):
        with pytest.raises(SourceUnavailable, match=repository.path.as_uri()):
            await tree_of(source, tag)
    away.rename(repository.path)
    assert await revision(source, first) == first
    assert await revision(source, "latest") == second


async def test_many_first_requests_of_a_commit(make, repository):
    """Ten at once: the history is fetched once, the tree extracted once."""
    first = repository.commit("1")
    repository.commit("2")
    source = make()
    calls = []
    run = source._remote.git.run

    async def counted(*arguments, **options):
        calls.append(arguments[0])
        return await run(*arguments, **options)

    source._remote.git.run = counted
    results = []

    async def ask():
        results.append(await tree_of(source, first))

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(ask)
    assert len(set(results)) == 1
    assert calls.count("fetch") == 2


async def test_many_tags_at_once(make, repository):
    """Clients make tags up: a hundred unknown ones cost two listings at most, not a hundred."""
    repository.commit("1")
    source = make()
    calls, run = [], source._remote.git.run

    async def counted(*arguments, **options):
        calls.append(arguments[0])
        return await run(*arguments, **options)

    source._remote.git.run = counted

    async def ask(tag):
        with pytest.raises(TagUnknown):
            await source.resolve(tag)

    async with anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(ask, f"made-up-{number}")
    assert set(calls) == {"ls-remote"}
    assert len(calls) <= 2


async def test_a_listing_is_no_older_than_the_question(make, repository):
    """A branch that was pushed while another client's listing went on is found."""
    repository.commit("1")
    source = make()
    listed, pushed, run = anyio.Event(), anyio.Event(), source._remote.git.run

    async def held_up(*arguments, **options):
        output = await run(*arguments, **options)
        listed.set()
        await pushed.wait()
        return output

    source._remote.git.run = held_up

    async def ask():
        with pytest.raises(TagUnknown):
            await source.resolve("new-1")

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await listed.wait()
        repository.git("branch", "new-2")
        pushed.set()
        assert (await source.resolve("new-2")).revision

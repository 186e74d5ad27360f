"""The mirror of a repository: fetched, damaged, removed, or used concurrently."""

import anyio
import pytest
from support.fake_source import tree_of
from support.source.revisions import revision

from nixery.errors import EvaluationFailed, SourceUnavailable, TagUnknown

pytestmark = [pytest.mark.anyio, pytest.mark.machine]


PULL_REQUEST = "refs/pull/1/head"


@pytest.mark.parametrize("offered", [True, False], ids=["filter", "no-filter"])
async def test_latest_follows_a_detached_head(make, repository, offered):
    """HEAD may be a detached commit; servers without filters are asked differently."""
    repository.git("config", "uploadpack.allowFilter", str(offered).lower())
    first = repository.commit("1")
    second = repository.commit("2")
    source = make()
    assert await revision(source, "latest") == second
    repository.git("checkout", "--quiet", "--detach", first)
    assert await revision(source, "latest") == first


async def test_a_server_that_forbids_this_filter(make, repository):
    """Some forges allow only blob:none: git ends with an error, and the server fetches without."""
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
    """Where the server offers it; trees and files are not fetched one by one either."""
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
    """As git over plain ssh: all of it is fetched once, and the tree is read from there."""
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


async def test_a_damaged_mirror_is_created_again(make, repository, tmp_path):
    """Files that a power cut or a full disk truncated do not break commits forever."""
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
    """503 that names the repository; a later request succeeds."""
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


async def test_a_listing_is_newer_than_the_call(make, repository):
    """A branch that was pushed during another client's listing is found."""
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

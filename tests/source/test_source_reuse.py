"""Trees that are reused: the next commit costs what differs from the last one."""

import os

import pytest
from support.source.files import entries

from nixery.source.objects import NoSuchCommitError
from nixery.source.trees import TreeLimits

pytestmark = [pytest.mark.anyio, pytest.mark.machine]


FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120000
ALWAYS = {"same": (FILE, b"same"), "deep/below/same": (PROGRAM, b"same")}
CHANGES = [
    {"a": (FILE, b"1"), "d/deep/x": (FILE, b"1"), "d/y": (FILE, b"2"), "mode": (FILE, b"m")},
    {"a/inside": (FILE, b"1"), "d": (FILE, b"a file now"), "mode": (PROGRAM, b"m")},
    {"a": (LINK, b"../../outside"), "d": (LINK, b"a"), "renamed": (FILE, b"2")},
    {"a": (FILE, b"changed"), "d/deep/x": (LINK, b"/etc"), "other/z": (FILE, b"z")},
    {},
]


async def test_an_idle_tree_becomes_the_next_commits(make_trees, repository, tmp_path):
    """Only files that differ are written: files become links and directories, and others go."""
    now = [1_000_000.0]
    trees = make_trees(TreeLimits(in_use_for=100, kept=1), clock=lambda: now[0])
    inodes = set()
    for number in (0, 1, 0, 2, 1, 3, 2, 0, 4, 3):
        files = CHANGES[number] | ALWAYS
        commit = repository.commit_files(files)
        now[0] += 200
        found = await trees.read(commit)
        kinds = {FILE: "file", PROGRAM: "executable", LINK: "link"}
        assert {
            os.fsdecode(name): entry
            for name, entry in entries(found).items()
            if entry[0] != "directory"
        } == {name: (kinds[mode], content) for name, (mode, content) in files.items()}
        assert not (found / "d").is_dir() or any((found / "d").iterdir()), "no empty directories"
        inodes.add(((found / "same").stat().st_ino, (found / "deep/below/same").stat().st_ino))
    assert len(inodes) == 1, "unchanged files stay"
    assert not list(tmp_path.rglob("outside"))


async def test_a_tree_in_use_is_not_changed(make_trees, repository):
    now = [1_000_000.0]
    trees = make_trees(TreeLimits(in_use_for=100, kept=1), clock=lambda: now[0])
    first, second = repository.commit("1"), repository.commit("2")
    read = await trees.read(first)
    now[0] += 99
    await trees.read(second)
    assert (read / "default.nix").read_text() == "1"


async def test_a_commit_that_does_not_exist_costs_no_tree(make_trees, repository):
    now = [1_000_000.0]
    trees = make_trees(TreeLimits(in_use_for=100, kept=1), clock=lambda: now[0])
    read = await trees.read(repository.commit())
    now[0] += 200
    with pytest.raises(NoSuchCommitError):
        await trees.read("0" * 40)
    assert read.exists()


async def test_only_what_differs_is_fetched(make_trees, repository, tmp_path):
    large = os.urandom(1 << 20)
    files = {"large": (FILE, large), "default.nix": (FILE, b"1")}
    trees = make_trees()
    await trees.read(repository.commit_files(files))
    (packs,) = tmp_path.glob("git/*/files/objects/pack")
    before = {pack: pack.stat().st_size for pack in packs.glob("*.pack")}
    await trees.read(repository.commit_files(files | {"default.nix": (FILE, b"2")}))
    (new,) = set(packs.glob("*.pack")) - set(before)
    assert new.stat().st_size < 10_000
    assert sum(before.values()) > len(large)


async def test_damaged_objects_are_fetched_again(make_trees, repository, tmp_path):
    trees = make_trees()
    await trees.read(repository.commit("1"))
    for pack in tmp_path.glob("git/*/files/objects/pack/*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(b"")
    tree = await trees.read(repository.commit("2"))
    assert (tree / "default.nix").read_text() == "2"

"""A revision's files: exactly the commit's, extracted once, kept while they may be read."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from support.source.files import entries

from nixery.errors import EvaluationFailed, SourceUnavailable, StorageFull
from nixery.source.git_command import GitFailed
from nixery.source.objects import NoSuchCommitError
from nixery.source.trees import TreeLimits

pytestmark = [pytest.mark.anyio, pytest.mark.machine]


ATTRIBUTES = b"""\
[attr]text eol=crlf
ignored export-ignore
default.nix export-subst ident
crlf text eol=crlf
auto text=auto eol=crlf
ident ident
utf16 working-tree-encoding=UTF-16
broken working-tree-encoding=nonsense
filtered filter=evil
pointer filter=lfs diff=lfs merge=lfs -text
* eol=crlf
"""


async def test_the_files_are_the_commits(make_trees, repository, tmp_path, monkeypatch):
    """No attribute, filter or setting leaves out or changes a byte; kinds and names are kept."""
    ran = tmp_path / "ran"
    contents = {
        b".gitattributes": ATTRIBUTES,
        b"ignored": b"here",
        b"default.nix": b"$Format:%H$ $Id$\n",
        b"crlf": b"a\nb\n",
        b"auto": b"a\nb\n",
        b"ident": b"$Id$\n",
        b"utf16": b"a\n",
        b"broken": b"a\n",
        b"filtered": b"a\n",
        b"pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        b"binary": bytes(range(256)) * 10,
        b"not \xff utf-8": b"x",
        b"with\nnewline": b"x",
        b"back\\slash": b"x",
        b"aux": b"x",
        b"git~1": b"x",
        b"directory/deep/er": b"x",
        b"empty": b"",
    }
    lines = []
    for name, content in contents.items():
        blob = repository.git("hash-object", "-w", "--stdin", stdin=content).encode()
        lines.append(b"100644 blob %s\t%s\0" % (blob, name))
    script = repository.git("hash-object", "-w", "--stdin", stdin=b"#!/bin/sh\n").encode()
    lines.append(b"100755 blob %s\tscript\0" % script)
    target = repository.git("hash-object", "-w", "--stdin", stdin=b"../outside\xff").encode()
    lines.append(b"120000 blob %s\tlink\0" % target)
    lines.append(b"160000 commit %s\tmodule\0" % (b"1" * 40))
    index = b"".join(line.replace(b" blob ", b" ").replace(b" commit ", b" ") for line in lines)
    repository.git("-c", "core.protectNTFS=false", "update-index", "-z", "--index-info",
                   stdin=index)  # fmt: skip
    tree = repository.git("write-tree")
    commit = repository.git("commit-tree", "-m", "x", tree)
    repository.git("update-ref", "refs/heads/main", commit)

    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[filter "evil"]\n smudge = touch {ran}; tr a b\n[core]\n autocrlf = true\n'
        f"[core]\n fsmonitor = touch {ran}\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    found = entries(await make_trees().read(commit))

    expected = {name: ("file", content) for name, content in contents.items()}
    expected |= {
        b"script": ("executable", b"#!/bin/sh\n"),
        b"link": ("link", b"../outside\xff"),
        b"module": ("directory", b""),
        b"directory": ("directory", b""),
        b"directory/deep": ("directory", b""),
    }
    assert found == expected
    assert not ran.exists()


@pytest.mark.parametrize("name", [b".git/config", b"../outside", b"a/../../outside", b".GIT/x"])
async def test_trees_that_reach_outside(make_trees, repository, tmp_path, name):
    """A crafted tree cannot write outside of its directory."""
    blob = repository.git("hash-object", "-w", "--stdin", stdin=b"evil")
    *parents, leaf = name.split(b"/")

    def tree_of(kind, name, oid):
        entry = kind + b" " + name + b"\0" + bytes.fromhex(oid)
        return repository.git(
            "hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=entry
        )

    tree = tree_of(b"100644", leaf, blob)
    for parent in reversed(parents):
        tree = tree_of(b"40000", parent, tree)
    commit = repository.git("commit-tree", "-m", "x", tree)
    repository.git("update-ref", "refs/heads/main", commit)
    trees = make_trees()
    with pytest.raises(EvaluationFailed, match="cannot be written"):
        await trees.read(commit)
    assert not list(tmp_path.rglob("outside"))
    assert b"evil" not in {content for _, content in entries(tmp_path / "git").values()}
    assert list((tmp_path / "sources").iterdir()) == []


async def test_extracted_once(make_trees, repository):
    """Concurrent and later callers share one extraction; another process finds it as well."""
    commit = repository.commit()
    trees = make_trees()
    calls = []
    extract = trees._extract

    async def counted(commit):
        calls.append(commit)
        await extract(commit)

    trees._extract = counted
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(trees.read, commit)
    await trees.read(commit)
    assert calls == [commit]
    second = make_trees()
    second._extract = None
    assert await second.read(commit)


async def test_the_last_to_leave_ends_git(make_trees, repository, tmp_path, monkeypatch):
    """One of two clients leaves: the work continues. Both leave: no process and no file remains."""
    commit = repository.commit()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # A server that never answers, ignores SIGTERM, and reports its process id.
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntrap '' TERM\necho $$ > {pipe}\nwhile :; do sleep 1000; done\n")
    hook.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[uploadpack]\n packObjectsHook = {hook}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    trees = make_trees()
    first = asyncio.create_task(trees.read(commit))
    second = asyncio.create_task(trees.read(commit))
    server = os.pidfd_open(int(await anyio.to_thread.run_sync(pipe.read_text)))
    first.cancel()
    await asyncio.wait([first])
    assert select.select([server], [], [], 0)[0] == []
    assert not second.done()
    second.cancel()
    await asyncio.wait([second])
    assert select.select([server], [], [], 10)[0] == [server]
    os.close(server)
    assert list((tmp_path / "sources").iterdir()) == []


def test_what_a_killed_process_left(make_trees, tmp_path):
    """Half a tree has no name; it is swept away, but not while its process lives."""
    sources = tmp_path / "sources"
    sources.mkdir()
    program = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom nixery.source.files import staged\n"
        "async def main():\n"
        " async with staged(Path(sys.argv[1])) as place:\n"
        "  (place / 'half').write_text('x'); print(place, flush=True); sys.stdin.read()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(sources)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        place = process.stdout.readline().decode().strip()
        make_trees()
        assert [path.name for path in Path(place).iterdir()] == ["half"]
        process.send_signal(signal.SIGKILL)
    make_trees()
    assert list(sources.iterdir()) == []


async def test_the_least_used_trees_go(make_trees, repository, tmp_path):
    """Beyond the kept ones, those unused for longest; never one that was just handed out."""
    now = [1_000_000.0]
    trees = make_trees(TreeLimits(in_use_for=100, kept=2), clock=lambda: now[0])
    commits = [repository.commit(str(number)) for number in range(5)]

    def kept():
        return {path.name for path in (tmp_path / "sources").iterdir() if path.name[0] != "."}

    for commit in commits[:3]:
        await trees.read(commit)
    assert kept() == set(commits[:3])  # all in use
    now[0] += 50
    await trees.read(commits[0])
    now[0] += 60
    await trees.read(commits[3])
    assert kept() == {commits[0], commits[3]}  # the second and third were idle
    now[0] += 1000
    assert (await trees.read(commits[0])).exists()
    await trees.read(commits[4])
    assert kept() == {commits[0], commits[4]}
    await trees._sweeping
    assert len(list((tmp_path / "sources").iterdir())) == 2


async def test_too_many_in_use(make_trees, repository):
    """Clients that request new revisions again and again do not fill the disk."""
    now = [1_000_000.0]
    trees = make_trees(TreeLimits(in_use_for=100, kept=1, most=2), clock=lambda: now[0])
    commits = [repository.commit(str(number)) for number in range(3)]
    await trees.read(commits[0])
    await trees.read(commits[1])
    with pytest.raises(SourceUnavailable, match="in use"):
        await trees.read(commits[2])
    await trees.read(commits[0])
    now[0] += 101
    await trees.read(commits[2])


async def test_no_such_commit(make_trees, repository):
    commit = repository.commit()
    tree = repository.git("rev-parse", f"{commit}^{{tree}}")
    for name in ("0" * 40, tree):
        with pytest.raises(NoSuchCommitError):
            await make_trees().read(name)


async def test_a_full_disk(make_trees, repository):
    """Git's own message of a full disk, and the system's, both give 507."""
    trees = make_trees()
    commit = repository.commit()

    async def full(*_arguments, **_options):
        raise GitFailed("fetch", 128, "fatal: write error: No space left on device")

    trees._remote.git.run = full
    with pytest.raises(StorageFull):
        await trees.read(commit)

    async def also_full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    trees._remote.git.run = also_full
    with pytest.raises(StorageFull):
        await trees.read(commit)

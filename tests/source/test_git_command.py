"""Git as a service runs it: no prompts, no foreign programs, nothing left running."""

import asyncio
import os
import select
import stat
import subprocess
from functools import partial

import anyio
import pytest
from support.git_repository import Repository

from nixery.source.address import parse_address
from nixery.source.git_command import MAX_PROCESSES, Git, GitFailed, GitTimedOut
from nixery.source.git_config import environment, without_user_info

pytestmark = [pytest.mark.anyio, pytest.mark.machine]


@pytest.fixture
def repository(tmp_path):
    repository = Repository(tmp_path / "repository")
    repository.commit()
    return repository


@pytest.fixture
def make(tmp_path):
    """Git for an address, with this text as the operator's own configuration."""

    def make(address, configuration="", **environ) -> Git:
        if configuration:
            included = tmp_path / 'the operator\'s "own"'
            included.write_text(configuration)
            environ["GIT_CONFIG_GLOBAL"] = str(included)
        return Git(parse_address(str(address)), tmp_path / "state", os.environ | environ)

    return make


@pytest.fixture
def mirror(tmp_path):
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "mirror"], check=True)
    return tmp_path / "mirror"


async def test_status_and_messages(make, mirror):
    git = make("/nowhere")
    assert (await git.run("rev-parse", "--git-dir", directory=mirror, deadline=10)).stdout
    with pytest.raises(GitFailed, match="rev-parse") as caught:
        await git.run("rev-parse", "--verify", "nope", directory=mirror, deadline=10)
    assert caught.value.status == 128
    assert "Needed a single revision" in caught.value.messages


@pytest.mark.parametrize("left_behind", [False, True], ids=["waiting", "left-behind"])
@pytest.mark.parametrize("how", ["deadline", "cancelled"])
async def test_the_group_ends(make, mirror, tmp_path, how, left_behind):
    """Past the deadline, or with its caller, git is gone and everything that it started."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    alias = f"alias.hang=!sh -c 'trap \"\" TERM; echo $$ > {pipe}; while :; do sleep 99; done'"
    alias += " &" if left_behind else ""
    git = make("/nowhere")
    errors = []
    started = []

    async def hang():
        try:
            deadline = 1 if how == "deadline" else 1000
            await git.run("-c", alias, "hang", directory=mirror, deadline=deadline)
        except GitTimedOut as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(hang)
        started.append(os.pidfd_open(int(await anyio.to_thread.run_sync(pipe.read_text))))
        if how == "cancelled":
            group.cancel_scope.cancel()
    assert select.select(started, [], [], 10)[0] == started
    os.close(started[0])
    assert len(errors) == (1 if how == "deadline" else 0)


@pytest.mark.parametrize("how", ["scope", "task"])
async def test_the_group_ends_that_is_just_starting(make, mirror, tmp_path, monkeypatch, how):
    """Git may run, and have children, before asyncio has returned it."""
    create = asyncio.create_subprocess_exec

    async def create_slowly(*arguments, **options):
        made = await create(*arguments, **options)
        started.append(os.pidfd_open(int(await anyio.Path(pipe).read_text())))
        running.set()
        await anyio.lowlevel.checkpoint()  # where a cancellation arrives
        return made

    running, started = anyio.Event(), []
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", create_slowly)
    alias = f"alias.hang=!echo $$ > {pipe}; while :; do sleep 99; done"
    hang = partial(make("/nowhere").run, "-c", alias, "hang", directory=mirror, deadline=99)
    if how == "scope":
        async with anyio.create_task_group() as group:
            group.start_soon(hang)
            await running.wait()
            group.cancel_scope.cancel()
    else:  # as flights are ended
        task = asyncio.create_task(hang())
        await running.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert select.select(started, [], [], 10)[0] == started
    os.close(started[0])


async def test_a_flood_of_messages(make, mirror):
    """Both streams are read together; of the messages only the end is kept."""
    flood = (
        "alias.flood=!head -c 5000000 /dev/zero | tr '\\0' e >&2;"
        " head -c 5000000 /dev/zero | tr '\\0' o; echo end >&2"
    )
    output = await make("/nowhere").run("-c", flood, "flood", directory=mirror, deadline=60)
    assert len(output.stdout) == 5_000_000
    assert len(output.messages) < 20_000
    assert output.messages.endswith("end")


async def test_only_the_scheme_of_the_address(make, repository, mirror, tmp_path):
    """Configuration that rewrites the address cannot make git run a command."""
    ran = tmp_path / "ran"
    git = make(repository.path, f'[url "ext::sh -c \'touch {ran}\' "]\n insteadOf = file://\n'
                                "[protocol]\n allow = always\n")  # fmt: skip
    with pytest.raises(GitFailed, match="not allowed"):
        await git.run("ls-remote", "origin", directory=mirror, deadline=10, network=True)
    assert not ran.exists()


async def test_network_only_on_request(make, repository, mirror):
    """A partial clone must not fetch missing objects one by one."""
    git = make(repository.path)
    assert (
        await git.run("ls-remote", "origin", directory=mirror, deadline=10, network=True)
    ).stdout
    with pytest.raises(GitFailed, match="not allowed"):
        await git.run("ls-remote", "origin", directory=mirror, deadline=10)


async def test_nothing_foreign_runs(make, repository, mirror, tmp_path):
    """Neither hooks nor programs named in a personal configuration are run."""
    ran = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {ran}\n")
        (hooks / name).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f"[core]\n fsmonitor = touch {ran}\n pager = touch {ran}\n hooksPath = {hooks}\n"
        f"[uploadpack]\n packObjectsHook = touch {ran}; \n[fetch]\n fsckObjects = nonsense\n"
    )
    git = make(repository.path, f"[core]\n hooksPath = {hooks}\n fsmonitor = touch {ran}\n",
               HOME=str(home), GIT_DIR="/nowhere", GIT_EXTERNAL_DIFF=f"touch {ran}",
               GIT_TRACE=str(ran), GIT_INDEX_FILE=str(ran))  # fmt: skip
    await git.run("fetch", "origin", "HEAD:refs/x", directory=mirror, deadline=10, network=True)
    await git.run("read-tree", "refs/x", directory=mirror, deadline=10)
    work = tmp_path / "work"
    work.mkdir()
    await git.run("checkout-index", "-a", directory=mirror, work_tree=work, deadline=10)
    assert (work / "default.nix").exists()
    assert not ran.exists()


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ({}, "ssh -o BatchMode=yes -o ConnectTimeout=15"),
        ({"GIT_SSH_COMMAND": "ssh -i key"}, "ssh -i key -o BatchMode=yes -o ConnectTimeout=15"),
        ({"GIT_SSH_COMMAND": "ssh -o batchmode=no"}, "ssh -o batchmode=no"),
        ({"GIT_SSH_COMMAND": "/opt/wrapper"}, "/opt/wrapper"),
        ({"GIT_SSH": "/opt/wrapper"}, None),
    ],
)
def test_ssh(tmp_path, given, command):
    """The operator's command is used; OpenSSH is kept from prompting."""
    assert environment(given, tmp_path).get("GIT_SSH_COMMAND") == command


def test_environment(tmp_path):
    """Settings that an operator needs stay, those that redirect git are removed."""
    kept = {"HOME": "/h", "PATH": "/bin", "GIT_ASKPASS": "a", "GIT_SSL_CAINFO": "c",
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "k", "GIT_CONFIG_VALUE_0": "v",
            "https_proxy": "p", "SSH_AUTH_SOCK": "s"}  # fmt: skip
    gone = {"GIT_DIR": "x", "GIT_TRACE_CURL": "1", "GIT_ALTERNATE_OBJECT_DIRECTORIES": "x",
            "GIT_CONFIG_PARAMETERS": "x", "GIT_ALLOW_PROTOCOL": "ext"}  # fmt: skip
    result = environment(kept | gone, tmp_path / "config")
    assert kept.items() <= result.items()
    assert not gone.keys() & result.keys()
    assert result["GIT_TERMINAL_PROMPT"] == "0"


def test_the_password_is_given_to_its_host_only(tmp_path):
    """A helper answers for the address's site; neither git's arguments nor its files leak it."""
    address = parse_address("https://robot:s%22e%27c$ret@h.test:8443/a")
    git = Git(address, tmp_path / "st'ate $x", os.environ)
    config, login = (tmp_path / "st'ate $x" / name for name in ("config", "login"))
    assert stat.S_IMODE(login.stat().st_mode) == stat.S_IMODE(config.stat().st_mode) == 0o600
    assert "robot" not in config.read_text()

    def ask(host):
        return subprocess.run(
            ["git", "credential", "fill"], env=git._environ, capture_output=True, check=False,
            text=True, input=f"protocol=https\nhost={host}\n\n",
        ).stdout  # fmt: skip

    assert "username=robot\npassword=s\"e'c$ret\n" in ask("h.test:8443")
    assert ask("h.test") == ask("elsewhere.test") == ""
    # What git would do after a refusal must not forget the password.
    refused = "protocol=https\nhost=h.test:8443\nusername=robot\npassword=x\n\n"
    subprocess.run(
        ["git", "credential", "reject"], env=git._environ, check=True, text=True, input=refused
    )
    assert "password" in ask("h.test:8443")
    Git(parse_address("https://h.test:8443/a"), tmp_path / "st'ate $x", os.environ)
    assert not login.exists()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fatal: unable to access 'https://u:p@h.test/a/': x", "https://h.test/a/"),
        ("https://u@h.test", "https://h.test"),
        ("ssh://git@h.test:22/a", "ssh://h.test:22/a"),
        ("https://u:p@ss@h.test/a", "https://h.test/a"),
        ("robot@h.test: Permission denied (publickey).", "h.test: Permission denied"),
    ],
)
def test_user_info_is_cut_out(text, shown):
    """Of addresses in what git and ssh print."""
    result = without_user_info(text)
    assert shown in result
    assert "@" not in result


async def test_many_at_once(make, mirror, tmp_path):
    """Clients decide how often git is asked, but not how many processes that makes."""
    running, log = tmp_path / "running", tmp_path / "log"
    running.mkdir()
    count = f"touch {running}/$$; ls {running} | wc -l >> {log}; sleep 0.05; rm {running}/$$"
    git = make("/nowhere")

    async def ask():
        await git.run("-c", f"alias.count=!{count}", "count", directory=mirror, deadline=60)

    async with anyio.create_task_group() as group:
        for _ in range(3 * MAX_PROCESSES):
            group.start_soon(ask)
    counts = [int(line) for line in log.read_text().split()]
    assert len(counts) == 3 * MAX_PROCESSES
    assert max(counts) <= MAX_PROCESSES

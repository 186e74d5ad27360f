"""Running commands, with shell scripts instead of Nix."""

import asyncio
import json
import os
import tracemalloc

import anyio
import anyio.lowlevel
import pytest
import structlog
from structlog.testing import capture_logs
from support.processes import ended

from nixery.errors import NixeryError
from nixery.nix import process
from nixery.nix.build_log import KEPT_LINES
from nixery.nix.process import run

pytestmark = pytest.mark.anyio

ENVIRONMENT = {"PATH": os.environ["PATH"]}


async def sh(script, **options):
    return await run(["sh", "-c", script], phase="realise", environment=ENVIRONMENT, **options)


@pytest.fixture
def silent():
    """Lines are logged to nowhere, for tests that have many of them."""

    def drop(*_):
        raise structlog.DropEvent

    configuration = structlog.get_config()
    structlog.configure(processors=[drop])
    yield
    structlog.configure(**configuration)


async def test_output_and_status():
    finished = await sh("cat; echo told >&2; exit 3", stdin=b"asked")
    assert (finished.status, finished.stdout) == (3, b"asked")
    assert [line.text for line in finished.log] == ["told"]


async def test_both_streams_are_drained():
    """Neither pipe holds 1 MB, so reading one after the other would wait forever."""
    with anyio.fail_after(30):
        finished = await sh(
            "yes $(printf %0500d 1) | head -c 1000000 >&2; echo >&2; "
            "head -c 1000000 /dev/zero; echo end >&2"
        )
    assert len(finished.stdout) == 1_000_000
    assert finished.log[-1].text == "end"


@pytest.mark.usefixtures("silent")
async def test_long_log_stays_small_in_memory():
    """10 MB in lines and 10 MB in one line: the last lines are kept."""
    script = "yes $(printf %0500d 1) | head -c 10000000 >&2; head -c 10000000 /dev/zero >&2"
    tracemalloc.start()
    finished = await sh(script)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(finished.log) == KEPT_LINES
    assert peak < 4_000_000


async def test_lines_are_logged_as_they_come():
    """Before the command ends: it waits for the log reader's answer."""
    with capture_logs() as logs:
        event = json.dumps({"action": "msg", "level": 0, "msg": "error: no", "raw_msg": "no"})
        await sh(f"echo first >&2; echo '@nix {event}' >&2")
    assert logs == [
        {
            "event": "nix",
            "log_level": "info",
            "phase": "realise",
            "kind": "message",
            "line": "first",
        },
        {"event": "nix", "log_level": "error", "phase": "realise", "kind": "error", "line": "no"},
    ]


async def test_command_that_is_not_there():
    with pytest.raises(NixeryError, match="no-such-command cannot be run") as caught:
        await run(["no-such-command"], phase="realise", environment=ENVIRONMENT)
    assert caught.value.cause == "no_command"


async def test_command_that_does_not_read():
    """A request longer than a pipe holds does not cause a failure."""
    assert (await sh("exec <&-; exit 7", stdin=b"x" * 1_000_000)).status == 7


async def test_too_much_output():
    """The endless command is ended, and nothing is kept."""
    finished = await sh("yes", max_output=1000)
    assert finished.is_cut
    assert finished.stdout == b""


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


async def cancel_when_started(script, fifo):
    """Runs the script, and cancels it when it has written its process ids to the fifo."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sh, script.replace("FIFO", str(fifo)))
        pids = await anyio.Path(fifo).read_text()
        tasks.cancel_scope.cancel()
    return [int(pid) for pid in pids.split()]


async def test_cancelling_ends_the_whole_group(fifo):
    """The command and its children, at SIGTERM."""
    pids = await cancel_when_started("sleep 300 & echo $$ $! > FIFO; wait", fifo)
    assert len(pids) == 2
    assert all(map(ended, pids))


async def test_cancelling_while_it_starts(fifo, monkeypatch):
    """The process may run, and have children, before asyncio has returned it."""
    create = asyncio.create_subprocess_exec
    cancelled = anyio.Event()

    async def create_slowly(*arguments, **options):
        made = await create(*arguments, **options)
        await cancelled.wait()
        await anyio.lowlevel.checkpoint()  # where a cancellation arrives
        return made

    monkeypatch.setattr(asyncio, "create_subprocess_exec", create_slowly)
    monkeypatch.setattr(process, "TERMINATE_SECONDS", 0.5)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sh, f"trap '' TERM; sleep 300 & echo $$ $! > {fifo}; wait")
        pids = [int(pid) for pid in (await anyio.Path(fifo).read_text()).split()]
        tasks.cancel_scope.cancel()
        cancelled.set()
    assert len(pids) == 2
    assert all(map(ended, pids))


async def test_cancelling_ends_what_ignores_it(fifo, monkeypatch):
    """After the grace, at SIGKILL."""
    monkeypatch.setattr(process, "TERMINATE_SECONDS", 0.05)
    pids = await cancel_when_started("trap '' TERM; sleep 300 & echo $$ $! > FIFO; wait", fifo)
    assert all(map(ended, pids))


async def test_cancelling_lets_nix_end_its_builders(fifo, tmp_path):
    """Builders lead separate groups, so Nix gets time to end them."""
    script = f"""
        trap 'echo tidied > {tmp_path}/tidied; exit 1' TERM
        echo $$ > FIFO
        while :; do sleep 0.01; done
    """
    await cancel_when_started(script, fifo)
    assert (tmp_path / "tidied").read_text() == "tidied\n"


async def test_deadline(fifo):
    """A caller's deadline is a cancellation as well."""
    pids = []

    async def pass_once_it_runs():
        pids.append(int(await anyio.Path(fifo).read_text()))
        scope.deadline = anyio.current_time()

    async with anyio.create_task_group() as tasks:
        with anyio.move_on_after(300) as scope:
            tasks.start_soon(pass_once_it_runs)
            await sh(f"echo $$ > {fifo}; exec sleep 300")
    assert scope.cancelled_caught
    assert ended(pids[0])


async def test_nothing_is_left_after_a_good_end():
    """Processes that a command leaves in its group, such as a fetcher's helper, end with it."""
    finished = await sh("sleep 300 >&- 2>&- & echo $!")
    assert ended(int(finished.stdout))

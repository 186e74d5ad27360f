"""The kernel's way of a file into a socket."""

import asyncio
import os
import resource
import socket

import anyio
import pytest
from support.wire.opened import opened

from nixery.wire import sendfile
from nixery.wire.sendfile import NotSendable, Transfer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not sendfile.IS_AVAILABLE, reason="sendfile as on Linux"),
]

SIZE = 8 * 1024 * 1024
"""More than the buffers of a connection hold."""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "blob").write_bytes(os.urandom(SIZE))
    return tmp_path / "blob"


@pytest.fixture
def file(path):
    with path.open("rb") as file:
        yield file.fileno()


@pytest.fixture
def sockets():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def watched():
    return len(asyncio.get_running_loop()._selector.get_map())


async def receive(client, count):
    received = bytearray()
    while len(received) < count:
        piece = await asyncio.get_running_loop().sock_recv(client, 1 << 20)
        if not piece:
            break
        received += piece
    return bytes(received)


async def test_no_descriptor_left(path, file, sockets):
    """A transfer that has begun continues when there is a descriptor again."""
    ours, theirs = sockets
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    transfer = Transfer(file, 0, SIZE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
    try:
        running = asyncio.ensure_future(transfer.run(ours.fileno()))
        await asyncio.sleep(0)  # until it waits
        assert 0 < transfer.offset < SIZE
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert await receive(theirs, SIZE) == path.read_bytes()
    await running


@pytest.mark.parametrize(("offset", "count"), [(0, SIZE), (1, SIZE - 2), (SIZE, 0), (5, 1)])
async def test_part(path, file, sockets, offset, count):
    """Exactly the requested bytes; the socket's descriptor is not kept."""
    ours, theirs = sockets
    before, watched_before = opened(), watched()
    reading = asyncio.create_task(receive(theirs, count))
    await Transfer(file, offset, count).run(ours.fileno())
    assert await reading == path.read_bytes()[offset : offset + count]
    assert not opened() - before
    assert watched() == watched_before


async def test_slow_reader(file, sockets):
    """A client that reads nothing delays its own transfer only."""
    ours, theirs = sockets
    transfer = Transfer(file, 0, SIZE)
    running = asyncio.create_task(transfer.run(ours.fileno()))
    await anyio.wait_all_tasks_blocked()
    assert not running.done()
    held_up = transfer.offset
    assert 0 < held_up < SIZE
    await receive(theirs, SIZE)
    await running


async def test_client_that_leaves(file, sockets):
    """The socket itself detects it."""
    ours, theirs = sockets
    before = opened()
    running = asyncio.create_task(Transfer(file, 0, SIZE).run(ours.fileno()))
    await anyio.wait_all_tasks_blocked()
    theirs.close()
    with pytest.raises(ConnectionResetError):
        await running
    assert not opened() - before


async def test_client_that_has_left(file, sockets):
    """Before the first byte it is the same error."""
    ours, theirs = sockets
    theirs.close()
    with pytest.raises(ConnectionResetError):
        await Transfer(file, 0, SIZE).run(ours.fileno())


@pytest.mark.parametrize("how", ["abandon", "cancel"])
async def test_ended_from_outside(file, sockets, how):
    """By a connection that is lost, or a server that ends: nothing stays open or watched."""
    before, watched_before = opened(), watched()
    transfer = Transfer(file, 0, SIZE)
    running = asyncio.create_task(transfer.run(sockets[0].fileno()))
    await anyio.wait_all_tasks_blocked()
    if how == "abandon":
        transfer.abandon()
        transfer.abandon()  # the second time adds nothing
    else:
        running.cancel()
    with pytest.raises((ConnectionResetError, asyncio.CancelledError)):
        await running
    assert not opened() - before
    assert watched() == watched_before


@pytest.mark.parametrize("kept", [0, SIZE // 2])
async def test_file_that_shrank(path, file, sockets, kept):
    """It ends, instead of asking a kernel without more bytes for them forever."""
    ours, theirs = sockets
    os.truncate(path, kept)
    reading = asyncio.create_task(receive(theirs, kept))
    with pytest.raises(EOFError, match=f"ends {SIZE - kept} bytes early"):
        await Transfer(file, 0, SIZE).run(ours.fileno())
    await reading


async def test_file_that_cannot_be_sent(sockets):
    """The kernel has no pages of these to give."""
    with open("/proc/self/environ", "rb") as file, pytest.raises(NotSendable):  # noqa: PTH123, ASYNC230
        await Transfer(file.fileno(), 0, 1).run(sockets[0].fileno())


async def test_file_that_cannot_be_read(sockets, tmp_path):
    """Is the disk's fault, and not the client's."""
    with (tmp_path / "blob").open("wb") as file, pytest.raises(OSError) as caught:
        await Transfer(file.fileno(), 0, 1).run(sockets[0].fileno())
    assert not isinstance(caught.value, ConnectionError)


async def test_load(file):
    """Parts that left the page cache are read again before sendfile sends them."""
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    if sendfile.is_cached(file, 0, SIZE):
        pytest.skip("this file system cannot say what is cached")
    await sendfile.load(file, 0, SIZE)
    assert sendfile.is_cached(file, 0, SIZE)
    await sendfile.load(file, 0, 0)

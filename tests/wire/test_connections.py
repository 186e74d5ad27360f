"""Which connections are closed when there are too many."""

import resource
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from nixery.errors import TooBusy
from nixery.wire.connections import (
    MOST_DESCRIPTORS,
    PER_BODY,
    STALLED_UNDER_PRESSURE,
    Connections,
)

LIMIT = 8
ROOM = 6  # a quarter of the limit is for other things


class Connection:
    def __init__(self):
        self.dropped = False
        self.sent = None

    def progress(self):
        return self.sent

    def drop(self):
        self.dropped = True


@pytest.fixture
def connections(clock):
    return Connections(LIMIT, later=lambda _seconds, _function: None, clock=lambda: clock.now)


def opened(connections, count):
    made = [Connection() for _ in range(count)]
    assert all(connections.admit(connection) for connection in made)
    return made


def dropped(made):
    return [number for number, connection in enumerate(made) if connection.dropped]


def test_the_order_of_closing(connections):
    """Those without a request, the oldest first; then those that have their answers."""
    made = opened(connections, ROOM)
    for number in (0, 1, 2):
        connections.mark_busy(made[number])
    for number in (2, 1):
        connections.mark_idle(made[number])
    order = []
    for _ in range(5):
        before = set(dropped(made))
        (newcomer,) = opened(connections, 1)
        connections.mark_busy(newcomer)
        order += set(dropped(made)) - before
    assert order == [3, 4, 5, 2, 1]
    assert not made[0].dropped


def test_a_busy_one_is_never_closed(connections):
    made = opened(connections, ROOM)
    for connection in made:
        connections.mark_busy(connection)
    assert not connections.admit(Connection())
    assert dropped(made) == []
    connections.remove(made[0])
    opened(connections, 1)


def test_a_client_that_does_not_read_gives_way(connections, clock):
    """But neither one that still receives something, nor one that waits for its image."""
    made = opened(connections, ROOM)
    for number, connection in enumerate(made):
        connection.sent = number or None
        connections.mark_busy(connection)
    assert not connections.admit(Connection())
    clock.forward(STALLED_UNDER_PRESSURE)
    for connection in made[2:]:
        connection.sent += 1
    (newcomer,) = opened(connections, 1)
    connections.mark_busy(newcomer)
    assert dropped(made) == [1]
    clock.forward(1)
    assert not connections.admit(Connection())
    clock.forward(STALLED_UNDER_PRESSURE)
    for _ in range(2):
        connections.mark_busy(*opened(connections, 1))
    assert dropped(made) == [1, 2, 3]


def test_files_leave_room_for_other_requests():
    """Half of it: clients that do not read their blobs do not shut the others out."""
    connections = Connections(16, later=lambda _seconds, _function: None)
    with connections.body(), connections.body(), connections.body():
        with pytest.raises(TooBusy), connections.body():
            pytest.fail("half of the room is used")
        opened(connections, 6)


def test_what_was_closed_takes_no_room(connections):
    """Also if it sends more until it notices, or is closed twice."""
    made = opened(connections, ROOM + 1)
    assert dropped(made) == [0]
    connections.mark_busy(made[0])
    connections.mark_idle(made[0])
    connections.remove(made[0])
    connections.remove(made[0])
    opened(connections, ROOM)
    assert dropped(made) == list(range(ROOM + 1))


def test_files_take_room(connections):
    """A client that takes a file costs more; those that cost nothing yet give way."""
    made = opened(connections, ROOM)
    connections.mark_busy(made[0])
    with connections.body():
        assert dropped(made) == [1, 2]
        for connection in made[3:]:
            connections.mark_busy(connection)
        with pytest.raises(TooBusy), connections.body():
            pytest.fail("there is no room")
    with connections.body():
        opened(connections, 0)
    assert PER_BODY == 2


def test_one_line_for_many():
    connections = Connections(LIMIT, later=lambda _seconds, _function: None)
    with capture_logs() as lines:
        opened(connections, 100)
    assert [(line["event"], line["closed"]) for line in lines] == [("too many connections", 1)]


def test_the_limit_is_raised():
    """Up to the hard limit if that is above the soft limit, but bounded."""
    program = (
        "import resource\n"
        "from nixery.wire.connections import raise_descriptor_limit\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))\n"
        "raise_descriptor_limit()\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    command = [sys.executable, "-c", program]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert output.split() == [str(min(hard, MOST_DESCRIPTORS)), str(hard)]

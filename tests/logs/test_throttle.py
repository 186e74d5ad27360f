"""What happens often, in few lines."""

from nixery.logs.throttle import EVERY, LogThrottle


class Timer:
    """Records the callback; ``ring`` calls it."""

    def __init__(self):
        self.waiting = []

    def __call__(self, seconds, function):
        assert seconds == EVERY
        self.waiting.append(function)

    def ring(self):
        waiting, self.waiting = self.waiting, []
        for function in waiting:
            function()


def test_one_line_a_minute_with_the_count():
    told, timer = [], Timer()
    tally = LogThrottle(told.append, timer)
    for _ in range(1000):
        tally.note("refused")
    assert told == [{"refused": 1}]  # at once, so that the operator can react
    tally.note("closed")
    timer.ring()
    assert told[1:] == [{"refused": 999, "closed": 1}]


def test_quiet_again():
    told, timer = [], Timer()
    tally = LogThrottle(told.append, timer)
    tally.note("refused")
    timer.ring()
    assert timer.waiting == []
    tally.note("refused")
    assert told == [{"refused": 1}, {"refused": 1}]

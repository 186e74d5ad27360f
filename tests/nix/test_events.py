import json

import pytest

from nixery.nix.events import MAX_TEXT, EventReader, Line

DRV = "/nix/store/kvprb6ragzg16hz9gxnzy7gpb028ii4s-failing-1.0.drv"

# Recorded with Nix 2.8: a failing build, without its counters.
FAILING = [
    '@nix {"action":"start","id":1,"level":6,"text":"querying info about missing paths","type":0}',
    '@nix {"action":"stop","id":1}',
    '@nix {"action":"msg","level":3,"msg":"this derivation will be built:"}',
    f'@nix {{"action":"msg","level":3,"msg":"  {DRV}"}}',
    '@nix {"action":"start","id":2,"level":0,"text":"","type":102}',
    '@nix {"action":"start","id":3,"level":0,"text":"","type":104}',
    '@nix {"action":"result","fields":[0,1,0,0],"id":3,"type":105}',
    (
        f'@nix {{"action":"start","fields":["{DRV}","",1,1],"id":4,"level":3,'
        f'"text":"building \'{DRV}\'","type":105}}'
    ),
    '@nix {"action":"result","fields":["this package cannot be built"],"id":4,"type":101}',
    '@nix {"action":"stop","id":4}',
    '@nix {"action":"stop","id":3}',
    (
        '@nix {"action":"msg","column":null,"file":null,"level":0,"line":null,'
        f'"msg":"\\u001b[31;1merror:\\u001b[0m builder for \'\\u001b[35m{DRV}\\u001b[0m\' failed",'
        f'"raw_msg":"builder for \'\\u001b[35;1m{DRV}\\u001b[0m\' failed with exit code 3"}}'
    ),
    '@nix {"action":"msg","level":0,"msg":"(use \'--show-trace\' to show more)"}',
]


def read_all(lines, phase="realise"):
    reader = EventReader(phase)
    return [line for raw in lines if (line := reader.read(raw))]


def test_failing_build():
    """Messages, the build's start, log and end, and the error are reported; counters are not."""
    assert read_all(FAILING) == [
        Line("message", "this derivation will be built:", "realise"),
        Line("message", f"  {DRV}", "realise"),
        Line("activity", f"building '{DRV}'", "build", DRV),
        Line("log", "this package cannot be built", "build", DRV),
        Line("end", "", "build", DRV),
        Line("error", f"builder for '{DRV}' failed with exit code 3", "realise"),
    ]


def test_download_is_a_phase():
    """A line of an activity carries the activity's phase."""
    start = '@nix {"action":"start","id":9,"level":4,"text":"downloading \'http://x\'","type":101}'
    assert read_all([start]) == [Line("activity", "downloading 'http://x'", "download")]


def test_builds_are_forgotten():
    """A long command does not fill memory with finished builds, or with downloads."""
    reader = EventReader("realise")
    for raw in FAILING:
        reader.read(raw)
    reader.read('@nix {"action":"start","id":9,"level":4,"text":"downloading x","type":101}')
    assert reader.has_built
    assert not reader._running


def build(action, number, name=""):
    event = {"action": action, "id": number}
    if action == "start":
        event |= {
            "type": 105,
            "text": "building",
            "fields": [f"/nix/store/x-{name}.drv"],
            "level": 3,
        }
    return "@nix " + json.dumps(event)


TIMEOUT = '@nix {"action":"msg","level":0,"msg":"e","raw_msg":"timed out after 1 seconds"}'


@pytest.mark.parametrize(
    ("lines", "derivation"),
    [
        ([build("start", 1, "a"), build("stop", 1)], "/nix/store/x-a.drv"),
        (
            [build("start", 1, "a"), build("stop", 1), build("start", 2, "b"), build("stop", 2)],
            "/nix/store/x-b.drv",
        ),
        (
            [build("start", 1, "a"), build("start", 2, "b"), build("stop", 1), build("stop", 2)],
            None,
        ),
        ([], None),
    ],
    ids=["one", "one after the other", "side by side", "none"],
)
def test_error_without_its_derivation(lines, derivation):
    """Nix 2.34 does not name the build that timed out; it is known if only one was running."""
    *_, error = read_all([*lines, TIMEOUT])
    assert error == Line("error", "timed out after 1 seconds", "realise", derivation)


NO_SPACE = '@nix {"action":"msg","level":0,"msg":"\\u001b[31;1merror:\\u001b[0m no space"}'


def test_a_builders_message_is_a_claim():
    """Nix passes it on without raw_msg. Between two builds only Nix can print."""
    during = [build("start", 1, "a"), NO_SPACE, build("stop", 1)]
    assert [line.kind for line in read_all(during)] == ["activity", "claim", "end"]
    assert read_all([*during, NO_SPACE])[-1].kind == "error"
    own = NO_SPACE.replace("}", ',"raw_msg":"no space"}')
    assert read_all([build("start", 1, "a"), own])[-1] == Line("error", "no space", "realise")


@pytest.mark.parametrize("text", ["trace: error: no space", "evaluating file", "\n"])
def test_other_messages_of_the_level_of_errors(text):
    """builtins.trace, and every message of a daemon."""
    raw = "@nix " + json.dumps({"action": "msg", "level": 0, "msg": text})
    assert all(line.kind == "message" for line in read_all([raw]))


def test_log_line_is_known_without_parsing():
    """By its end, which no text of a builder's can be."""
    reader = EventReader("realise")
    for number in (4, 5):
        reader.read(build("start", number, f"{number}"))
    forged = '"],"id":5,"type":101}'
    event = {"action": "result", "fields": [forged], "id": 4, "type": 101}
    line = "@nix " + json.dumps(event, separators=(",", ":"))
    assert reader.build_of(line) == "/nix/store/x-4.drv"
    assert reader.build_of(line.replace('"id":4', '"id":6')) is None, "no build's"
    assert reader.build_of(line.removesuffix("}")) is None, "cut"
    assert reader.build_of(build("stop", 4)) is None


def test_plain_lines():
    """Output outside of the format is read as well, such as the stack overflow of 2.8."""
    assert read_all(
        ["warning: something", "error: stack overflow (possible infinite recursion)", ""]
    )
    assert read_all(["error: stack overflow"]) == [Line("error", "stack overflow", "realise")]


def test_error_without_raw_message():
    """Nix leaves raw_msg out of some messages."""
    raw = '@nix {"action":"msg","level":0,"msg":"\\u001b[31;1merror:\\u001b[0m no space"}'
    assert read_all([raw]) == [Line("error", "no space", "realise")]


def test_control_characters_are_gone():
    """A build's log cannot control the terminal of its readers."""
    text = "\x1b[2J\x1b]0;title\x07red \x1b[31mtext\x1b[0m\x00\x9b31m\x9dtitle\x9c\x85\r\tend"
    raw = "@nix " + json.dumps({"action": "result", "type": 101, "id": 4, "fields": [text]})
    assert read_all([raw]) == [Line("log", "red text end", "realise")]


def test_cut_line_still_tells_something():
    """A line that was too long is not JSON any more; its beginning is kept, up to a limit."""
    cut = '@nix {"action":"result","fields":["' + "x" * 60_000
    assert read_all([cut]) == [Line("log", "x" * MAX_TEXT, "realise")]


def test_unknown_events_are_nothing():
    """Later versions may have more fields."""
    odd = [{"action": "start", "id": 1, "type": [], "text": "x", "fields": {}}, {"action": "stop"}]
    unknown = [*odd, {"action": "new"}, [], {"action": "msg"}, {"action": "start", "id": 1}]
    assert read_all(["@nix " + json.dumps(event) for event in unknown]) == []

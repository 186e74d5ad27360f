"""Builders and evaluations that print without end: the log stays short, and others are served."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.nix

EVENT = {"action": "msg", "level": 0, "msg": "error: no"}
START = {"action": "start", "id": 0, "level": 0, "type": 101, "text": "x", "fields": []}


def printing(count, line):
    """A script that prints the line this many times; & in it is a number."""
    return f"bb seq {count} | bb sed 's/.*/{line}/'"


def event(fields):
    return "@nix " + json.dumps(fields).replace('"id": 0', '"id": &')


CHATTER = printing(200_000, "a line of a log that goes on and on, &")
EVENTS, STARTS = (printing(50_000, event(fields)) for fields in (EVENT, START))
SET = f"""{{
  chatty = build.package {{ pname = "chatty"; script = ''{CHATTER}; echo the reason; exit 1''; }};
  events = build.package {{ pname = "events"; script = ''{EVENTS}; exit 1''; }};
  starts = build.package {{ pname = "starts"; script = ''{STARTS}; exit 1''; }};
  needs-both = build.package {{
    pname = "needs-both";
    deps = [
      (build.package {{ pname = "noise"; script = ''{CHATTER}; bb sleep 300''; }})
      (build.package {{ pname = "failing"; script = "echo my reason; bb sleep 1; exit 1"; }})
    ];
  }};
  traces = builtins.foldl' (all: n: builtins.trace n all) (throw "the reason")
    (builtins.genList (n: n) 20000);
  plan = build.package {{
    pname = "plan";
    deps = builtins.genList (n: build.run "dep-${{toString n}}" {{ }} "bb seq 40; : > $out") 200;
  }};
}}"""
BUILD = 50 + 20 + 1
"""Lines of one build: its beginning, its end, and how many were left out."""
REST = 300
"""Lines of a command that are of no build, of every kind."""


@pytest.fixture
def serve_salted(serve_set, package_set, salt):
    def start(**settings):
        config = json.dumps({"salt": salt})
        return serve_set(package_set(SET), NIXERY_NIXPKGS_CONFIG=config, **settings)

    return start


def pull(served, name):
    answer = served.get(f"/v2/{name}/manifests/latest")
    return answer.status_code, answer.json()["errors"][0]


def lines_of(served, name):
    nix = [event for event in served.events() if event["event"] == "nix"]
    return [
        event for event in nix if name in event.get("derivation", "") and event["kind"] == "log"
    ]


@pytest.mark.parametrize("name", ["chatty", "events", "starts"])
def test_builder(serve_salted, name):
    with serve_salted() as served:
        assert pull(served, name)[0] == 404
        assert len(lines_of(served, name)) <= BUILD
        assert len(served.events()) < BUILD + REST
        assert served.peak_mb() < 150


def test_the_reason_is_reported(serve_salted):
    """In the client's error and as the last line of the log, with the number of omitted lines."""
    with serve_salted() as served:
        _, error = pull(served, "chatty")
        lines = [event["line"] for event in lines_of(served, "chatty")]
    assert error["message"] == "chatty failed to build: the reason"
    assert lines[-1] == "the reason"
    assert len(lines) == BUILD
    assert "199931 lines were skipped here" in lines[50]


def test_a_chatty_neighbour(serve_salted):
    """The failed build is explained by its own log."""
    with serve_salted() as served:
        _, error = pull(served, "needs-both")
    assert error["message"] == "failing-1.0 (a dependency) failed to build: my reason"


def test_evaluation(serve_salted):
    with serve_salted() as served:
        status, error = pull(served, "traces")
        # Evaluated with the others, alone, and again for its message.
        assert len(served.events()) < 4 * REST
    assert (status, error["message"]) == (404, "package 'traces' cannot be evaluated: the reason")


def test_many_builds(serve_salted):
    """The lines of a command are limited, however many builds it runs."""
    with serve_salted() as served:
        assert served.manifest("plan")
        assert 1900 < len(served.events()) < 2000 + REST


def test_debug_logs_it_all(serve_salted):
    with serve_salted(NIXERY_LOG_LEVEL="debug") as served:
        pull(served, "chatty")
        assert len(lines_of(served, "chatty")) == 200_001


def test_others_are_served(serve_salted):
    """While builders print as fast as they can, stored images can be pulled."""
    with serve_salted() as served, ThreadPoolExecutor() as threads:
        digest = served.digest("hello")
        pulls = [threads.submit(pull, served, name) for name in ("chatty", "events", "starts")]
        count = 0
        while not all(future.done() for future in pulls):
            assert served.digest("hello") == digest
            count += 1
        assert [future.result()[0] for future in pulls] == [404] * 3
    assert count > 3

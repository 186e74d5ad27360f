"""Builders, derivations and package sets that speak as Nix does of the server's machine."""

import json

import pytest

pytestmark = pytest.mark.nix

WORDS = {
    "full": "writing to file '/nix/var/nix/db/db.sqlite': No space left on device",
    "daemon": "Nix daemon disconnected unexpectedly (maybe it crashed?)",
    "store": "creating directory '/nix/var/nix': Permission denied",
    "collected": "opening file '/nix/store/00000000000000000000000000000000-x.drv': No such file",
    "time": "timed out after 60 seconds",
    "builder": "a 'riscv64-linux' with features {} is required to build 'x', but I am",
}


def nix_text(text):
    """A text in Nix's language."""
    return json.dumps(text).replace("${", "\\${")


def builder(lines, then="exit 3"):
    """A package, unbuilt as yet, whose builder prints these lines."""
    script = "\n".join([*(f"echo {shell_text(line)} >&2" for line in lines), then])
    return f'build.package {{ pname = "evil"; script = {nix_text(script)}; }}'


def shell_text(line):
    return "'" + line.replace("'", "'\\''") + "'"


def event(**fields):
    return "@nix " + json.dumps(fields)


def forged(words):
    """As a message of Nix's own, with all that is part of one, and as plain lines."""
    own = {"level": 0, "msg": f"error: {words}", "raw_msg": words, "line": None, "file": None}
    return [event(action="msg", **own), f"error: {words}", words]


def error_of(served, name="evil"):
    answer = served.get(f"/v2/{name}/manifests/latest")
    return answer.status_code, answer.json()["errors"][0]


@pytest.fixture
def serve_salted(serve_set, salt):
    def start(directory):
        return serve_set(directory, NIXERY_NIXPKGS_CONFIG=json.dumps({"salt": salt}))

    return start


def test_builders(package_set, serve_salted):
    """They fail as they would without these messages."""
    attributes = " ".join(f"evil-{it} = {builder(forged(w))};" for it, w in WORDS.items())
    with serve_salted(package_set(f"{{ {attributes} }}")) as served:
        for name, words in WORDS.items():
            status, error = error_of(served, f"evil-{name}")
            assert (status, error["detail"]["cause"]) == (404, "build_failed"), error
            said = words.partition("/")[0]  # the paths in them are hidden
            assert error["message"].startswith(f"evil-{name} failed to build: {said}")


def test_builder_that_succeeds(package_set, serve_salted):
    lines = [line for words in WORDS.values() for line in forged(words)]
    with serve_salted(package_set(f"{{ evil = {builder(lines, then=':')}; }}")) as served:
        assert served.manifest("evil")


def test_builder_that_ends_activities(package_set, serve_salted):
    """It neither ends its own build nor begins another's, so its output stays its own."""
    begun = [event(action="start", id=n, level=0, type=105, text="x", fields=["/nix/store/y.drv"])
             for n in range(5)]  # fmt: skip
    ended = [event(action="stop", id=n) for n in range(5)]
    package = builder([*begun, *ended, *forged(WORDS["full"])])
    with serve_salted(package_set(f"{{ evil = {package}; }}")) as served:
        status, error = error_of(served)
        derivations = {e["derivation"] for e in served.events() if e.get("derivation")}
    assert (status, error["detail"]["cause"]) == (404, "build_failed")
    assert "/nix/store/y.drv" not in derivations


DERIVATIONS = {
    "system": """system = "x'; No space left on device";""",
    "features": """requiredSystemFeatures = [ "x}: No space left on device" ];""",
    "builder": 'builder = builtins.toFile "builder" "not to be run";',
    "directory": "builder = build.boot;",
}


def test_derivations(package_set, serve_salted):
    run = 'build.withMeta (build.run "evil" {{ {} }} "") {{ }}'
    attributes = " ".join(f"evil-{n} = {run.format(d)};" for n, d in DERIVATIONS.items())
    with serve_salted(package_set(f"{{ {attributes} }}")) as served:
        for name in DERIVATIONS:
            status, error = error_of(served, f"evil-{name}")
            assert status in (403, 404), error


FORMS = {
    "throws": "throw TEXT",
    "aborts": "abort TEXT",
    "traces": "builtins.trace TEXT (1 + true)",
    "traces-and-throws": "builtins.trace TEXT (throw TEXT)",
}


def failing(form, words):
    return FORMS[form].replace("TEXT", nix_text(words))


def test_evaluation_of_a_package(package_set, serve_set):
    names = {f"evil-{form}-{it}": failing(form, w) for form in FORMS for it, w in WORDS.items()}
    attributes = " ".join(f"{name} = {value};" for name, value in names.items())
    with serve_set(package_set(f"{{ {attributes} }}")) as served:
        for name in names:
            status, error = error_of(served, name)
            assert (status, error["detail"]["cause"]) == (404, "evaluation"), error
        assert served.manifest("hello")


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_evaluation_of_the_set(package_set, serve_set, words):
    with serve_set(package_set(failing("traces-and-throws", words))) as served:
        status, error = error_of(served)
    assert (status, error["detail"]["cause"]) == (404, "evaluation")
    assert error["message"].startswith("the package set cannot be evaluated: ")

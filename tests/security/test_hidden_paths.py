"""What clients get names no place of the server: not its sources, store, home or configuration."""

import pytest
from support.git_repository import Repository
from support.security.hostile_set import set_with
from support.served import serve
from support.tiny_set import NIX_CONF_DIR

pytestmark = pytest.mark.nix

FAILING = """{
  missing-file = import ./missing.nix;
  reads = builtins.readFile ./missing.txt;
  outside = builtins.readFile /etc/shadow;
  home = builtins.readDir HOME;
  mistyped = 1 + "a" + ./default.nix;
  thrown = throw "in ${toString ./.}/default.nix:7, for ${toString ./default.nix}";
  refused = throw "Package 'x' in ${toString ./default.nix}:7 has …, refusing to evaluate.";
  parsed = import ./wrong.nix;
  says = build.package { pname = "says"; script = "echo ${toString ./default.nix} >&2; exit 1"; };
  hash = tiny.bad-hash;
  nothing = tiny.no-output;
}"""
NAMES = [
    *("missing-file", "reads", "outside", "home", "mistyped", "thrown", "refused", "parsed"),
    *("says", "hash", "nothing", "not-there"),
]


def answers(served, tag="latest"):
    for name in NAMES:
        answer = served.get(f"/v2/{name}/manifests/{tag}")
        assert 400 <= answer.status_code < 500, answer.text
        yield name, answer
    yield "tag", served.get("/v2/hello/manifests/no-such-tag")
    yield "page", served.get("/")
    yield "ready", served.get("/readyz")


@pytest.fixture(params=["path", "git"])
def served(request, nix_environment, tiny, tmp_path):
    home = nix_environment["HOME"]
    files = {
        "default.nix": set_with(tiny, FAILING.replace("HOME", home)),
        "wrong.nix": "{ a = ; }",
    }
    directory = tmp_path / "nobody-may-know"
    if request.param == "git":
        repository = Repository(directory)
        repository.commit(files["default.nix"], **{"wrong.nix": files["wrong.nix"]})
        source = {"NIXERY_PKGS_REPO": str(directory)}
    else:
        directory.mkdir()
        for name, text in files.items():
            (directory / name).write_text(text)
        source = {"NIXERY_PKGS_PATH": str(directory)}
    settings = {"NIXERY_ALLOWED_PATHS": str(tiny), **source}
    with serve(nix_environment, tmp_path / "served", **settings) as served:
        yield served


def test_no_place_is_named(served, nix_environment, nix_store, tmp_path):
    hidden = [
        str(tmp_path),
        str(nix_store),
        nix_environment["HOME"],
        str(NIX_CONF_DIR),
        "/sources/",
    ]
    for name, answer in answers(served):
        text = answer.text + str(dict(answer.headers))
        assert not [place for place in hidden if place in text], name
    assert served.manifest("hello").headers["Nixery-Source"] == "path"


def test_files_of_the_set_are_named(served):
    """Relative to the set, so that its author finds them."""
    told = dict(answers(served))
    assert "missing.nix" in told["missing-file"].text
    assert "in default.nix:7, for default.nix" in told["thrown"].text
    assert str(served.storage.parent.parent) in served.log.read_text(), "the operator sees them all"

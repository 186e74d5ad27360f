"""Package sets that try to get out of their evaluation; a canary must not appear."""

import subprocess
from pathlib import Path

import pytest
from support.git_repository import Repository
from support.security.hostile_set import set_with
from support.served import serve

pytestmark = pytest.mark.nix

# Outputs whose paths, in this order, form a Nix command line that runs a command.
OUTPUTS = """{
  evil = let
    outputs = [ "out" "dev" "doc" "lib" "bin" ];
    real = build.package { pname = "evil"; inherit outputs; };
    word = text: { outPath = text; };
  in {
    type = "derivation"; name = "evil"; system = "x86_64-linux"; inherit outputs;
    inherit (real) drvPath;
    outPath = "x"; meta.outputsToInstall = outputs;
    out = word "--option"; dev = word "allow-unsafe-native-code-during-evaluation";
    doc = word "true"; lib = word "--expr";
    bin = word "builtins.exec [ \\"/bin/sh\\" \\"-c\\" \\"touch CANARY; echo 1\\" ]";
  };
}"""


def of_words(**attributes):
    """A package of plain texts."""
    texts = " ".join(f"{name} = {value};" for name, value in attributes.items())
    return f"""{{ evil = {{
      type = "derivation"; name = "evil"; system = "x86_64-linux"; outputs = [ "out" ];
      drvPath = tiny.hello.drvPath; outPath = tiny.hello.outPath;
    }} // {{ {texts} }}; }}"""


def test_outputs_that_are_options(package_set, serve_set, refused, tmp_path):
    canary = tmp_path / "canary"
    with serve_set(package_set(OUTPUTS.replace("CANARY", str(canary)))) as served:
        assert "'evil' is refused: output 'out' is not a store path" in refused(served, "evil").text
    assert not canary.exists()


def test_outputs_that_are_options_in_a_branch(tiny, nix_environment, tmp_path):
    """A person who may push to an allowed branch is only a writer of packages."""
    canary, repository = tmp_path / "canary", Repository(tmp_path / "repository")
    repository.commit(set_with(tiny, OUTPUTS.replace("CANARY", str(canary))))
    settings = {"NIXERY_PKGS_REPO": str(repository.path), "NIXERY_ALLOWED_PATHS": str(tiny)}
    with serve(nix_environment, tmp_path / "served", **settings) as served:
        answer = served.get("/v2/evil/manifests/main")
    assert answer.status_code == 403
    assert "is not a store path" in answer.text
    assert not canary.exists()


@pytest.mark.parametrize(
    "words",
    [
        {"outPath": '"github:stranger/flake"'},
        {"outPath": '"/nix/store/../../etc/passwd"'},
        {"drvPath": '"--help"'},
        {"drvPath": '"${tiny.hello.outPath}"'},
        {"outputs": '[ "--help" ]', "meta.outputsToInstall": '[ "--help" ]'},
        {"outputs": "builtins.genList toString 1000", "meta.outputsToInstall": '[ "a,b" "c!d" ]'},
        {"outPath": '{ outPath = "-E"; }'},
    ],
    ids=lambda words: next(iter(words)),
)
def test_words_that_are_not_store_paths(package_set, serve_set, refused, words):
    with serve_set(package_set(of_words(**words))) as served:
        assert "'evil'" in refused(served, "evil").text


def test_store_path_of_others(nix_environment, package_set, serve_set, refused, tmp_path):
    """Only outputs of its derivation are served, and no other paths of the machine's store."""
    (tmp_path / "private").write_text("a secret that the operator's system refers to")
    added = subprocess.run(
        ["nix-store", "--add", tmp_path / "private"],
        check=True,
        capture_output=True,
        text=True,
        env=nix_environment,
    ).stdout.strip()
    with serve_set(package_set(of_words(outPath=f'"{added}"'))) as served:
        assert "not those of its derivation" in refused(served, "evil").text


@pytest.mark.parametrize("kind", ["file", "environment of the server", "netrc", "git credentials"])
def test_files_of_the_server(package_set, serve_set, tmp_path, kind, nix_environment):
    """Nix 2.8 and 2.26 check the address before it is decoded, and download the decoded one."""
    home = Path(nix_environment["HOME"])
    for path in (tmp_path / "file", home / ".netrc", home / ".git-credentials"):
        path.write_text("canary")
    directory = package_set("{ }")
    with serve_set(directory, S3_SECRET_KEY="canary") as served:
        target = {
            "file": tmp_path / "file",
            "environment of the server": Path(f"/proc/{served.process.pid}/environ"),
            "netrc": home / ".netrc",
            "git credentials": home / ".git-credentials",
        }[kind]
        # The path that restricted mode checks, and finds within the tree.
        up = "/".join(["%2e%2e"] * len(directory.parts))
        decoy = directory / up / str(target).lstrip("/")
        decoy.parent.mkdir(parents=True)
        decoy.touch()
        package_set(
            f"""{{ steal = build.package {{ pname = "steal"; script = ''
              bb cat ${{builtins.fetchurl "file://${{toString ./.}}/{up}{target}"}}; exit 1
            ''; }}; told = throw (builtins.readFile
              (builtins.fetchurl "file://${{toString ./.}}/{up}{target}")); }}"""
        )
        for name in ("steal", "told"):
            answer = served.get(f"/v2/{name}/manifests/latest")
            assert answer.status_code == 404
            assert "canary" not in answer.text
        assert served.manifest("hello")
    assert "canary" not in served.log.read_text()


COMMAND = """
cat {outside} >{canary}
python3 -c 'import socket; socket.create_connection(("127.0.0.1", {port}))'
"""


def test_commands_of_a_repository(package_set, serve_set, tmp_path, listener):
    """Nix 2.8 runs commands of a repository's own configuration; they are confined.

    Git trees hold no repositories, but archives in them do, which fetchTarball unpacks.
    """
    canary, outside = tmp_path / "canary", tmp_path / "outside"
    outside.write_text("secret")
    directory = package_set("{ evil = throw (builtins.fetchGit ./repository).outPath; }")
    script = COMMAND.format(outside=outside, canary=canary, port=listener.port)
    script = " ".join(script.strip().replace("\n", "; ").replace('"', '\\"').split())
    monitor = f'[core]\n\tfsmonitor = "{script}"\n\tsshCommand = "{script}"\n'
    repository = Repository(directory / "repository")
    repository.commit()
    with (repository.path / ".git/config").open("a") as file:
        file.write(monitor)
    with serve_set(directory) as served:
        assert served.get("/v2/evil/manifests/latest").status_code == 404
        assert served.manifest("hello")
    assert not canary.exists()
    assert not listener.was_reached()


def test_submodules_of_a_repository(package_set, serve_set, tmp_path, listener):
    """Every Nix follows them, to any address."""
    repository = '{ url = ./bare.git; ref = "main"; submodules = true; }'
    directory = package_set(f"{{ evil = throw (builtins.fetchGit {repository}).outPath; }}")
    inner = Repository(tmp_path / "inner")
    inner.commit()
    outer = Repository(tmp_path / "outer")
    outer.commit()
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", str(inner.path), "sub")
    modules = outer.path / ".gitmodules"
    modules.write_text(
        modules.read_text().replace(str(inner.path), f"http://127.0.0.1:{listener.port}/x")
    )
    outer.commit()
    outer.git("clone", "--quiet", "--bare", ".", str(directory / "bare.git"))
    with serve_set(directory) as served:
        assert served.get("/v2/evil/manifests/latest").status_code == 404
        assert served.manifest("hello")
    assert not listener.was_reached()


def test_environment_of_the_server(package_set, serve_set):
    """A fixed-output builder may request variables; without a daemon those are Nix's own."""
    names = ("NIX_POPULARITY_URL", "STORAGE_PATH", "API_KEY", "S3_SECRET_KEY", "NIX_CONFIG")
    directory = package_set(
        """{ envs = build.withMeta (build.run "envs" {
          outputHash = "0000000000000000000000000000000000000000000000000000";
          outputHashAlgo = "sha256"; outputHashMode = "flat";
          impureEnvVars = [ NAMES ];
        } "for v in $impureEnvVars; do eval \\"echo $v=\\\\$$v\\"; done; exit 1") { }; }""".replace(
            "NAMES", " ".join(f'"{name}"' for name in names)
        )
    )
    given = {
        "NIX_POPULARITY_URL": "http://robot:hunter2@127.0.0.1:1/x",
        "API_KEY": "hunter2",
        "S3_SECRET_KEY": "hunter2",
        "NIX_CONFIG": "download-attempts = 1\naccess-tokens = github.com=hunter2",
    }
    with serve_set(directory, **given) as served:
        answer = served.get("/v2/envs/manifests/latest")
        assert "API_KEY=" in answer.text, "the builder did say what it saw"
        for secret in ("hunter2", str(served.storage)):
            assert secret not in answer.text

"""The builder's command, with programs in Nix's place that show how they were called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nixery.expressions

pytestmark = pytest.mark.machine

EXPRESSIONS = Path(nixery.expressions.__file__).parent
SCRIPT = EXPRESSIONS / "prepare-image.sh"

SHOW = """#!/bin/sh
printf '%s\\n' "${0##*/}" "$@"
echo "NIX_PATH=$NIX_PATH"
echo "on stderr" >&2
exit 102
"""


@pytest.fixture
def path(tmp_path):
    """Where ``nix`` and the others print their arguments, and the path of the command."""
    for name in ("nix", "nix-store", "nix-instantiate"):
        (tmp_path / name).write_text(SHOW)
    command = tmp_path / "nixery-prepare-image"
    command.write_text(SCRIPT.read_text().replace("@expressions@", "/the/expressions"))
    for file in tmp_path.iterdir():
        file.chmod(0o755)
    return tmp_path


def call(path, *arguments, stdin="", **environment):
    """The status, and the lines of stdout."""
    finished = subprocess.run(
        [path / "nixery-prepare-image", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{path}:{os.environ['PATH']}", "NIX_PATH": "nixpkgs=/x", **environment},
    )
    if finished.returncode == 102:
        assert finished.stderr == "on stderr\n"
    return finished.returncode, finished.stdout.splitlines()


def test_evaluate(path):
    """Restricted, with what widens it behind; Nix's own status and output are passed on."""
    status, shown = call(path, "evaluate", "-I", "s=/set", stdin='{"names": ["a b"]}')
    assert status == 102
    assert shown[0] == "nix-instantiate"
    assert shown[-1] == "NIX_PATH=", "the operator's channels are not readable"
    assert shown[-2] == '{"names": ["a b"]}'
    options = " ".join(shown)
    restricted = options.index("--option restrict-eval true")
    no_builds = options.index("--option allow-import-from-derivation false")
    no_flakes = options.index("--option experimental-features  ")
    assert max(restricted, no_builds, no_flakes) < options.index("-I s=/set")
    assert "-I nixery=/the/expressions" in options
    assert "/the/expressions/packages.nix" in options


def test_realise(path):
    wanted = "/nix/store/x.drv!out"
    status, shown = call(path, "realise", "/roots/it", wanted, NIX_TIMEOUT="7")
    assert status == 102
    assert " ".join(shown[:6]) == "nix-store --realise --add-root /roots/it --timeout 7"
    assert shown[-3:-1] == ["--", wanted]


def test_closure(path):
    status, shown = call(path, "closure", "/nix/store/a", "/nix/store/b")
    assert status == 102
    assert shown[0] == "nix"
    assert shown[-4:-1] == ["--", "/nix/store/a", "/nix/store/b"]


def test_check(path):
    """Asks a question for the store, which does not fail if the answer is no."""
    status, shown = call(path, "check")
    assert status == 102
    assert shown[:3] == ["nix-store", "--check-validity", "--print-invalid"]


@pytest.mark.parametrize(
    "arguments",
    [
        *((), ("build",), ("realise",), ("realise", "root"), ("closure",)),
        *(("realise", "root", "--option"), ("closure", "github:a/b"), ("closure", "--expr", "1")),
    ],
)
def test_wrong_use(path, arguments):
    """Status 2, and the subcommands on stderr; invalid store paths never reach Nix."""
    finished = subprocess.run(
        [path / "nixery-prepare-image", *arguments], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 2
    assert [line.split()[1] for line in finished.stderr.splitlines()] == [
        "evaluate",
        "realise",
        "closure",
        "check",
    ]


def test_console_script(path, monkeypatch):
    """Starts the shell script, which finds the expressions next to itself."""
    called = []
    monkeypatch.setattr(os, "execv", lambda *arguments: called.append(arguments))
    monkeypatch.setattr("sys.argv", ["nixery-prepare-image", "closure", "/nix/store/a"])
    monkeypatch.setenv("NIXERY_EXPRESSIONS", "elsewhere")
    nixery.expressions.main()
    assert called == [("/bin/sh", ["/bin/sh", str(SCRIPT), "closure", "/nix/store/a"])]
    assert os.environ["NIXERY_EXPRESSIONS"] == str(EXPRESSIONS)
    _, shown = call(path, "evaluate", NIXERY_EXPRESSIONS=str(EXPRESSIONS))
    assert f"{EXPRESSIONS}/packages.nix" in shown


def test_console_script_starts_quickly():
    """It runs with every Nix command, so nothing of the server is imported."""
    code = "import sys, nixery.expressions; print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"asyncio", "structlog", "anyio", "pydantic"} & set(finished.stdout.split())

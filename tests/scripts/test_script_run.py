"""scripts/run, with a stand-in for the server: its settings, files and output."""

import json
import socket

import pytest

SERVER = """#!/usr/bin/env python3
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path.startswith("/v2/") else 404)
        self.end_headers()
        if self.path == "/stop":
            os._exit(0)

json.dump({"argv": sys.argv[1:], **os.environ}, open("seen", "w"))
if "ENDS" in os.environ:
    sys.exit(2)
HTTPServer((os.environ["NIXERY_LISTEN"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def run(project):
    """Runs the script with an environment; returns its result and the server's environment."""
    project.command("nix-build", "#!/bin/sh\n")
    project.write(project.root / ".venv/bin/nixery", SERVER)
    project.write(project.root / "scripts/demo", '#!/bin/sh\necho "demo $*" >>"$LOG"\n')
    project.bash('printf "runtime %s\\n" "$(venv_key runtime)" >"$VENV/stamp"')

    def run_(*arguments, command=("scripts/run",), **environment):
        result = project.run(*command, *arguments, **environment)
        seen = project.root / "seen"
        return result, json.loads(seen.read_text()) if seen.exists() else None

    return run_


@pytest.fixture
def port():
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_it_serves_the_demo_set_from_directories_that_it_names(run, project, port):
    result, seen = run(PORT=port, ENDS="1")
    state = project.root / ".nixery"
    assert seen["argv"] == ["serve"]
    assert project.log == ["demo --build"]
    assert seen["NIXERY_PKGS_PATH"] == f"{state}/demo"
    assert seen["NIXERY_STORAGE_BACKEND"] == "filesystem"
    assert seen["STORAGE_PATH"] == f"{state}/storage"
    assert seen["NIXERY_STATE_DIR"] == f"{state}/state"
    assert seen["NIXERY_LISTEN"] == "127.0.0.1"
    assert f"images are kept in {state}/storage" in result.stderr


def test_the_servers_status_is_the_scripts(run, port):
    assert run(PORT=port, ENDS="1")[0].returncode == 2


@pytest.mark.parametrize("source", ["NIXERY_PKGS_PATH", "NIXERY_PKGS_REPO", "NIXERY_CHANNEL"])
def test_a_callers_source_wins_and_no_demo_is_made(run, project, port, source):
    _, seen = run(PORT=port, ENDS="1", **{source: "/else"})
    assert project.log == []
    assert {name: seen[name] for name in seen if name.startswith("NIXERY_PKGS")} == (
        {source: "/else"} if "PKGS" in source else {}
    )


def test_a_callers_settings_win(run, port):
    settings = {
        "PORT": port,
        "NIXERY_LISTEN": "0.0.0.0",
        "STORAGE_PATH": "/storage",
        "NIXERY_STATE_DIR": "/state",
        "NIX_CONF_DIR": "/conf",
        "NIX_REMOTE": "/store",
    }
    _, seen = run(ENDS="1", **settings)
    assert {name: seen[name] for name in settings} == settings


def test_once_asks_for_an_image_and_ends(run, port):
    result, _ = run("--once", "git/htop", PORT=port)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "GET /v2/: HTTP/1.0 200 OK",
        "GET /v2/git/htop/manifests/latest: HTTP/1.0 200 OK",
    ]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", int(port)))


def test_once_fails_with_a_server_that_ends(run, port):
    result, _ = run("--once", PORT=port, ENDS="1")
    assert result.returncode == 1
    assert "the server ended before it served" in result.stderr


# Reads until the last command was printed, then ends the stand-in.
UNTIL_ANNOUNCED = """
coproc scripts/run
while IFS= read -r line <&"${COPROC[0]}"; do
  echo "$line"
  if [[ $line == *daemon.json* ]]; then
    exec 3<>"/dev/tcp/127.0.0.1/$PORT"
    printf 'GET /stop HTTP/1.0\\r\\n\\r\\n' >&3
  fi
done
"""


def test_pull_commands_are_printed_once_it_serves(run, port):
    result, _ = run(command=["bash", "-c", UNTIL_ANNOUNCED], PORT=port)
    for client in ("skopeo copy --src-tls-verify=false docker://", "podman pull", "docker pull"):
        assert client in result.stdout
    assert result.stdout.count(f"127.0.0.1:{port}/shell/git/htop") == 3


def test_a_taken_port_is_named(run, port):
    with socket.create_server(("127.0.0.1", int(port))):
        result, seen = run(PORT=port)
    assert result.returncode == 1
    assert f"127.0.0.1:{port} is in use" in result.stderr
    assert seen is None

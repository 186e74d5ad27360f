"""The server from outside: its settings, its errors, its limits and its end."""

import json
import os
import signal
import subprocess
import threading
from contextlib import suppress

import httpx
import pytest
from support.processes import with_environment
from support.served import serve

from nixery.settings import SOURCES

pytestmark = pytest.mark.nix


@pytest.fixture
def start(nix_environment, tiny, tmp_path):
    """A registry of the tiny set with these settings."""

    def start(**settings):
        return serve(nix_environment, tmp_path, **{"NIXERY_PKGS_PATH": str(tiny)} | settings)

    return start


@pytest.fixture(scope="module")
def registry(nix_environment, tiny, tmp_path_factory):
    with serve(nix_environment, tmp_path_factory.mktemp("r"), NIXERY_PKGS_PATH=str(tiny)) as served:
        yield served


def refused(environment, **settings):
    """The output of a server that does not start."""
    done = subprocess.run(
        ["nixery", "serve"],
        env={**environment, "NIXERY_STORAGE_BACKEND": "filesystem", **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("given", [{}, {"NIXERY_CHANNEL": "a", "NIXERY_PKGS_PATH": "/"}])
def test_exactly_one_source(nix_environment, tmp_path, given):
    said = refused(nix_environment, STORAGE_PATH=str(tmp_path), **given)
    assert all(name in said for name in SOURCES)


def test_a_set_that_this_nix_cannot_evaluate(start, tmp_path):
    """As nixpkgs does it. It is logged at the start, and every request gets the reason."""
    old = tmp_path / "set"
    old.mkdir()
    (old / "default.nix").write_text(
        "{ system }: abort ''\n\n  This version of Nixpkgs requires Nix >= 9.0:\n\n  - upgrade''"
    )
    with start(NIXERY_PKGS_PATH=str(old)) as served:
        event = served.wait_for(event="no package can be built")
        (error,) = served.get("/v2/hello/manifests/latest").json()["errors"]
    reason = "cannot be evaluated: This version of Nixpkgs requires Nix >= 9.0: upgrade"
    assert event["reason"] == f"the package set {reason}"
    assert error["message"] == f"the package set {reason}"


def test_a_source_that_is_not_there(nix_environment, tmp_path):
    said = refused(nix_environment, STORAGE_PATH=str(tmp_path), NIXERY_PKGS_PATH="/nowhere")
    assert "/nowhere" in said


def test_a_port_in_use(nix_environment, tiny, tmp_path, registry):
    said = refused(
        nix_environment,
        STORAGE_PATH=str(tmp_path / "storage"),
        NIXERY_STATE_DIR=str(tmp_path / "state"),
        NIXERY_PKGS_PATH=str(tiny),
        NIXERY_LISTEN="127.0.0.1",
        PORT=registry.url.rpartition(":")[2],
    )
    assert "in use" in said.lower()


@pytest.mark.parametrize(
    ("name", "status", "code", "said"),
    [
        ("gti", 404, "MANIFEST_UNKNOWN", "did you mean"),
        ("unfree", 403, "DENIED", "unfree"),
        ("broken", 403, "DENIED", "broken"),
        ("insecure", 403, "DENIED", "insecure"),
        ("foreign", 403, "DENIED", "foreign"),
        ("lib", 403, "DENIED", "lib"),
        ("afunction", 403, "DENIED", "afunction"),
        ("removed", 404, "MANIFEST_UNKNOWN", "dropped"),
        ("aborts", 404, "MANIFEST_UNKNOWN", "aborts"),
        ("mistyped", 404, "MANIFEST_UNKNOWN", "mistyped"),
        ("failing", 404, "MANIFEST_UNKNOWN", "this package cannot be built"),
        ("needs-failing", 404, "MANIFEST_UNKNOWN", "failing"),
        ("bad-hash", 404, "MANIFEST_UNKNOWN", "hash"),
        ("Git", 400, "NAME_INVALID", "Git"),
        ("git/-x", 400, "NAME_INVALID", "git"),
    ],
)
def test_errors(registry, name, status, code, said):
    """One line for the person who typed the name, a cause for machines."""
    answer = registry.get(f"/v2/{name}/manifests/latest")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert said in error["message"]
    assert "\n" not in error["message"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_tag_that_does_not_exist(registry):
    answer = registry.get("/v2/git/manifests/other")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")


def test_a_failure_runs_nix_once(start):
    """Docker asks with HEAD, then with GET."""
    with start() as served:
        for _ in range(3):
            assert served.get("/v2/failing/manifests/latest").status_code == 404
        starts = [e for e in served.events() if e.get("phase") == "realise" and "failing" in str(e)]
        failed = [e for e in served.events() if e["event"] == "image failed"]
    assert starts
    assert len(failed) == 1


def test_strict_errors_for_machines(start):
    with start(NIXERY_ERROR_STATUS="strict", NIXERY_REQUEST_TIMEOUT="5") as served:
        assert served.get("/v2/failing/manifests/latest").status_code == 502
        assert served.get("/v2/aborts/manifests/latest").status_code == 502
        assert served.get("/v2/unfree/manifests/latest").status_code == 403
        assert served.get("/v2/slow/manifests/latest").status_code == 504


def test_a_builder_has_its_time(start):
    with start(NIX_TIMEOUT="1") as served:
        answer = served.get("/v2/slow/manifests/latest")
    assert answer.status_code == 404
    assert "slow" in answer.json()["errors"][0]["message"]


def test_a_request_has_its_time(start):
    """And leaves no process behind: neither Nix nor its builder."""
    with start(NIXERY_REQUEST_TIMEOUT="3", MARK="request-time") as served:
        answer = served.get("/v2/slow/manifests/latest")
        assert "3 seconds" in answer.json()["errors"][0]["message"]
        assert with_environment("MARK=request-time") == [served.process.pid]


def test_the_end_leaves_nothing_behind(start):
    """SIGTERM in the middle of a build."""
    with start(MARK="clean-end") as served:
        thread = threading.Thread(target=_ask, args=(served, "/v2/slow/manifests/latest"))
        thread.start()
        served.wait_for(line="sleeping")
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(60) == 0
        thread.join()
    assert with_environment("MARK=clean-end") == []


def _ask(served, path):
    with suppress(httpx.HTTPError):  # the server ends in the middle of it
        served.get(path)


def test_unfree_packages_can_be_allowed(start):
    with start(NIXPKGS_ALLOW_UNFREE="1") as served:
        assert served.get("/v2/unfree/manifests/latest").status_code == 200


def test_tags_of_a_path(start):
    with start(NIXERY_TAGS="stable") as served:
        assert served.get("/v2/git/manifests/stable").status_code == 200
        assert served.get("/v2/git/manifests/latest").status_code == 404


def test_where_packages_came_from(registry):
    headers = registry.manifest("git").headers
    assert headers["Nixery-Source"] == "path"
    assert "Nixery-Revision" not in headers


def test_an_image_for_another_architecture(start, nix_environment, salt):
    """Where the machine can build for it (emulated, or on another machine)."""
    unbuilt = {"NIXERY_NIXPKGS_CONFIG": json.dumps({"salt": salt})}
    with start(**unbuilt) as served:
        answer = served.get("/v2/arm64/hello/manifests/latest")
        assert answer.status_code == 403
        assert "aarch64-linux" in answer.json()["errors"][0]["message"]
    config = nix_environment["NIX_CONFIG"] + "\nextra-platforms = aarch64-linux"
    with start(NIX_CONFIG=config, **unbuilt) as served:
        manifest = served.manifest("arm64/hello").json()
        config = served.get(f"/v2/arm64/hello/blobs/{manifest['config']['digest']}").json()
    assert config["architecture"] == "arm64"


def test_a_lot_of_log(start):
    """10 MB, in lines and in one line: logged as it comes, and the image is made."""
    with start() as served:
        for name in ("chatty", "chatty-line"):
            assert served.get(f"/v2/{name}/manifests/latest").status_code == 200
        assert served.peak_mb() < 120


def test_a_git_source(nix_environment, tiny, tmp_path):
    """The tag names the revision; the header contains the commit."""
    repository = tmp_path / "repository"
    subprocess.run(["cp", "-r", tiny, repository], check=True)
    git = ["git", "-C", repository, "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=x"], check=True)
    head = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    with serve(nix_environment, tmp_path / "r", NIXERY_PKGS_REPO=str(repository)) as served:
        answers = [served.manifest("git", tag) for tag in ("latest", "main", head)]
        assert served.get("/v2/git/manifests/none").status_code == 404
    assert {answer.headers["Nixery-Revision"] for answer in answers} == {head}
    assert len({answer.headers["Docker-Content-Digest"] for answer in answers}) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_a_full_disk(start, tmp_path):
    """507 for new images, while pulls of stored ones succeed; with room again, everything does."""
    storage = tmp_path / "storage"
    storage.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", storage], check=True)
    try:
        with start() as served:
            digest = served.digest("hello")
            filler = storage / "filler"
            with suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(bytes(1 << 16))
            answer = served.get("/v2/shell/git/manifests/latest")
            assert answer.status_code == 507
            assert "full" in answer.json()["errors"][0]["message"]
            assert served.digest("hello") == digest
            filler.unlink()
            assert served.get("/v2/shell/git/manifests/latest").status_code == 200
        # Only now: the request is recorded after the answer.
        assert not list((storage / "staging").iterdir())
    finally:
        subprocess.run(["umount", storage], check=True)

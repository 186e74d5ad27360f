"""Real images, pulled by real clients: their contents, and that they run."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.integration.unpacked import inside, run, run_with_podman, tree, unpack
from support.served import DOCKER, OCI, serve

pytestmark = [
    pytest.mark.nix,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter an image's root"),
]

IMAGES = json.loads((Path(__file__).parents[2] / "demo/images.json").read_text())


@pytest.fixture(scope="module")
def registry(nix_environment, tiny, tmp_path_factory):
    """Serves the tiny set."""
    with serve(nix_environment, tmp_path_factory.mktemp("r"), NIXERY_PKGS_PATH=str(tiny)) as served:
        yield served


@pytest.fixture(scope="module")
def demo_registry(nix_environment, demo_set, tmp_path_factory):
    """Serves real programs."""
    directory = tmp_path_factory.mktemp("demo")
    with serve(nix_environment, directory, NIXERY_PKGS_PATH=str(demo_set)) as served:
        yield served


def test_an_image_runs(registry, tmp_path):
    root = unpack(registry, "shell/git/htop", tmp_path)
    assert inside(root, "git", "--version") == "git 2.47.0 --version\n"
    assert inside(root, "htop") == "htop 3.3.0\n"
    assert (
        inside(root, "bash", "-c", "echo $PATH")
        == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    )


def test_the_image_holds_what_the_store_holds(registry, nix_store, tmp_path):
    """File by file: odd names, empty directories, links of every kind, modes."""
    root = unpack(registry, "odd/git", tmp_path)
    paths = [path.name for path in (root / "nix/store").iterdir()]
    assert any(name.endswith("-odd-1.0") for name in paths)
    for name in paths:
        assert tree(root / "nix/store" / name) == tree(nix_store / "nix/store" / name)


def test_the_image_is_complete(registry, nix_store, tmp_path):
    """Its store paths are the closure of the requested packages, according to Nix."""
    root = unpack(registry, "git", tmp_path)
    tops = {
        "/".join(link.readlink().parts[:4])[1:]
        for link in (root / "bin").iterdir()
        if str(link.readlink()).startswith("/nix/store")
    }
    environment = os.environ | {
        "NIX_REMOTE": str(nix_store),
        "NIX_CONF_DIR": str(Path(__file__).parents[2] / "scripts/nix"),
    }
    closure = run("nix-store", "--query", "--requisites", *tops, env=environment).split()
    held = {f"/nix/store/{path.name}" for path in (root / "nix/store").iterdir()}
    assert set(closure) <= held


def test_the_root_of_an_image(registry, tmp_path):
    root = unpack(registry, "shell/hello", tmp_path)
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert {line.split(":")[0] for line in (root / "etc/passwd").read_text().splitlines()} == {
        "root",
        "nobody",
    }
    assert (root / "etc/nsswitch.conf").exists()
    assert inside(root, "cat", "/etc/ssl/certs/ca-bundle.crt").startswith("-----BEGIN CERT")
    assert "https" in inside(root, "cat", "/etc/services")
    assert inside(root, "/usr/bin/env", "echo", "found") == "found\n"
    assert inside(root, "/bin/sh", "-c", "echo found") == "found\n"


def test_nothing_is_made_up(registry, tmp_path):
    """An image without a shell has none, and no /usr/bin/env either."""
    root = unpack(registry, "hello", tmp_path)
    assert not (root / "bin/sh").is_symlink()
    assert not (root / "usr/bin/env").is_symlink()
    assert inside(root, "hello") == "hello 2.12.1\n"


def test_a_script_finds_its_interpreter(registry, tmp_path):
    root = unpack(registry, "shell/env-script", tmp_path)
    assert inside(root, "env-script") == "found by env\n"


def test_the_first_package_wins(registry, tmp_path):
    """In the order of names, not in that of the request."""
    root = unpack(registry, "collide-b/collide-a", tmp_path)
    assert "collide-a" in str((root / "bin/collide").readlink())
    assert sorted(path.name for path in (root / "share/collide").iterdir()) == ["a", "b", "both"]


def test_outputs_that_are_installed_by_default(registry, tmp_path):
    """The first output of curl does not have the program; manual pages are left out."""
    root = unpack(registry, "curl", tmp_path)
    assert inside(root, "curl").startswith("curl 8")
    assert not list(root.glob("share/man*"))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("r", "R"),
        ("1password", "1password"),
        ("xorg.xev", "xev"),
        ("haskellpackages.stylish-haskell", "stylish-haskell"),
    ],
)
def test_names_are_repaired(registry, tmp_path, asked, found):
    root = unpack(registry, asked, tmp_path)
    assert (root / "bin" / found).is_symlink()


def test_order_does_not_matter(registry):
    assert registry.digest("git/htop") == registry.digest("htop/git")


@pytest.mark.parametrize("accept", [OCI, DOCKER])
def test_one_digest_after_a_restart(registry, nix_environment, tiny, tmp_path, accept):
    """With another directory, state and process: the digest depends on the content only."""
    with serve(nix_environment, tmp_path, NIXERY_PKGS_PATH=str(tiny)) as other:
        assert other.digest("shell/odd/git", accept) == registry.digest("shell/odd/git", accept)


def test_a_podman_container(demo_registry, podman):
    image = demo_registry.image("bashinteractive/coreutils/hello")
    run(*podman, "pull", "--quiet", "--tls-verify=false", image)
    output = run_with_podman(podman, image, "bash", "-c", "hello && ls / && id -un")
    assert output.startswith("Hello, world!")
    assert {"bin", "nix", "tmp"} <= set(output.split())
    assert output.endswith("root\n")


COMMANDS = {
    "hello": (("hello",), "Hello, world!"),
    "git": (("git", "--version"), "git version"),
    "python3": (("python3", "-c", "import ssl, sqlite3; print(ssl.OPENSSL_VERSION)"), "OpenSSL"),
}


@pytest.mark.parametrize("size", ["1", "5", pytest.param("20", marks=pytest.mark.full)])
def test_real_programs_run(request, size, nix_environment, nix_store, tmp_path):
    """The images that the benchmarks use."""
    packages = IMAGES[size]["packages"]
    source = request.getfixturevalue("demo_set_whole" if size == "20" else "demo_set")
    with serve(nix_environment, tmp_path / "r", NIXERY_PKGS_PATH=str(source)) as served:
        root = unpack(served, IMAGES[size]["name"], tmp_path / "image")
        # Memory does not grow with the image: the largest has more than 500 MB.
        assert served.peak_mb() < 120
    # Before anything runs: root's Python writes into the copy.
    for path in (root / "nix/store").iterdir():
        assert tree(path) == tree(nix_store / "nix/store" / path.name)
    for name, (command, expected) in COMMANDS.items():
        if name in packages:
            assert expected in inside(root, *command)
    if "bashInteractive" in packages:
        script = root / "script"
        script.write_text("#!/usr/bin/env bash\necho run by $BASH\n")
        script.chmod(0o755)
        assert inside(root, "/script").startswith("run by /")
    shutil.rmtree(root)


def test_clients_see_why(registry):
    """As skopeo does, which prints the message of a 4xx."""
    done = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", f"docker://{registry.image('gti')}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "did you mean" in done.stderr
    assert "git" in done.stderr

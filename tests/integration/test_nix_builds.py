"""Packages built, rooted and listed by a real Nix, and every way in which that fails."""

import os
import subprocess
from contextlib import suppress

import anyio
import pytest
from support.processes import ended, with_environment
from support.tiny_set import collect_garbage, request, source_of
from support.tiny_set import nix_environment as environment_of

from nixery.errors import (
    BuildFailed,
    Denied,
    DerivationCollected,
    NixeryError,
    StorageFull,
    TimedOut,
)
from nixery.image_name import Architecture
from nixery.nix import Evaluation, Nix
from nixery.nix.store import store_root

pytestmark = [pytest.mark.anyio, pytest.mark.nix]


async def prepare(nix, source, root, *names, architecture=Architecture.AMD64):
    """Evaluates and realises; gives the closure."""
    packages = await nix.evaluate(source, request(*names, architecture=architecture))
    await nix.realise(packages, root)
    return await nix.closure([path for package in packages for path in package.paths])


async def test_closure(nix, nix_store, tiny_source, tmp_path):
    """It is complete, its sizes are right, and its files are where store_root says."""
    closure = await prepare(nix, tiny_source, tmp_path / "root", "git", "curl", "bashInteractive")
    paths = {info.path for info in closure.paths}
    assert all(set(info.references) <= paths - {info.path} for info in closure.paths)
    assert {path[44:] for path in paths} >= {"git-2.47.0", "curl-8.11.0-bin", "glibc-2.40"}
    assert not any(path.endswith(("-man", "-dev", "-doc")) for path in paths)
    (bash,) = (info for info in closure.paths if info.path.endswith("-bash-5.2"))
    file = store_root(str(nix_store)) / bash.path.removeprefix("/") / "bin/busybox"
    assert file.stat().st_size < bash.size < file.stat().st_size + 2000


async def test_a_nix_that_works(nix):
    await nix.check()


async def test_a_daemon_that_is_not_there(nix_environment, tmp_path):
    """Something that is evaluated and reads nothing would not run into it."""
    nowhere = {"NIX_REMOTE": "daemon", "NIX_DAEMON_SOCKET_PATH": str(tmp_path / "socket")}
    with pytest.raises(NixeryError, match="the Nix daemon cannot be reached"):
        await Nix(environment=nix_environment | nowhere).check()


async def test_evaluation_builds_nothing(nix_environment, nix_store, tiny_source, salt):
    nix = Nix(environment=nix_environment, evaluation=Evaluation(config={"salt": salt}))
    (package,) = await nix.evaluate(tiny_source, request("hello"))
    assert not (nix_store / package.paths[0].removeprefix("/")).exists()
    assert (nix_store / package.drv_path.removeprefix("/")).exists(), "but it can be realised"


async def test_results_are_rooted(tiny_source, tmp_path):
    """The garbage collector leaves them alone until the links are gone."""
    environment = environment_of(tmp_path / "store", tmp_path)
    nix = Nix(environment=environment)
    roots = tmp_path / "roots"
    roots.mkdir()
    packages = await nix.evaluate(tiny_source, request("bashInteractive", "curl", "hello"))
    await nix.realise(packages, roots / "it")
    paths = [path for package in packages for path in package.paths]
    closure = await nix.closure(paths)

    collect_garbage(environment)
    assert await nix.closure(paths) == closure
    for link in roots.iterdir():
        link.unlink()
    collect_garbage(environment)
    with pytest.raises(NixeryError):
        await nix.closure(paths)
    with pytest.raises(DerivationCollected, match="pull again") as caught:
        await nix.realise(packages, roots / "it")
    assert caught.value.cause == "collected"


@pytest.fixture
def small_store(tmp_path):
    """A store on a disk of 40 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    store = tmp_path / "store"
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", store], check=True)
    yield store
    subprocess.run(["umount", store], check=True)


async def test_full_store(tiny_source, small_store, tmp_path):
    """Nix reports it and the disk confirms it: not a fault of the packages."""
    nix = Nix(environment=environment_of(small_store, tmp_path))
    packages = await nix.evaluate(tiny_source, request("hello"))
    with suppress(OSError), (small_store / "filler").open("wb") as file:
        while True:
            file.write(bytes(1 << 16))
    with pytest.raises(StorageFull):
        await nix.evaluate(tiny_source, request("curl"))
    with pytest.raises(StorageFull):
        await nix.realise(packages, tmp_path / "root")


FAILURES = [
    (
        "failing",
        BuildFailed,
        "build_failed",
        "failing failed to build: this package cannot be built",
    ),
    (
        "needs-failing",
        BuildFailed,
        "build_failed",
        "failing-1.0 (a dependency) failed to build: this",
    ),
    ("no-output", BuildFailed, "no_output", "no-output did not make its output"),
    ("bad-hash", BuildFailed, "hash_mismatch", "bad-hash has another hash"),
    ("not-served", BuildFailed, "download_failed", "unable to download 'http://127.0.0.1:1/"),
]


@pytest.mark.parametrize(
    ("name", "kind", "cause", "text"), FAILURES, ids=[name for name, *_ in FAILURES]
)
async def test_builds_that_fail(nix, tiny_source, tmp_path, *, name, kind, cause, text):
    """Each with its own cause, the package, and its last line of log."""
    with pytest.raises(kind) as caught:
        await prepare(nix, tiny_source, tmp_path / "root", "bashInteractive", name)
    assert caught.value.cause == cause
    assert text in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.log


async def test_builder_that_takes_too_long(nix_environment, tiny_source, tmp_path, salt):
    """NIX_TIMEOUT bounds each builder, as in Nix."""
    nix = Nix(
        environment=nix_environment, nix_timeout=1, evaluation=Evaluation(config={"salt": salt})
    )
    with pytest.raises(TimedOut) as caught:
        await prepare(nix, tiny_source, tmp_path / "root", "slow")
    assert caught.value.message == "slow was not built within 1 seconds (NIX_TIMEOUT)"
    assert caught.value.log == ("sleeping",)
    assert all(map(ended, with_environment(salt)))


async def test_no_builder_of_the_architecture(nix_environment, tiny_source, tmp_path, salt):
    """It is evaluated, and cannot be built."""
    nix = Nix(environment=nix_environment, evaluation=Evaluation(config={"salt": salt}))
    with pytest.raises(Denied, match="no builder for aarch64-linux is available") as caught:
        await prepare(nix, tiny_source, tmp_path / "root", "hello", architecture=Architecture.ARM64)
    assert caught.value.cause == "no_builder"


async def test_builder_of_the_architecture(nix_environment, tiny_source, tmp_path):
    """Nix's extra-platforms claims one (busybox runs here whatever its name)."""
    environment = {**nix_environment, "NIX_CONFIG": "extra-platforms = aarch64-linux"}
    arm64 = await prepare(
        Nix(environment=environment),
        tiny_source,
        tmp_path / "arm64",
        "hello",
        architecture=Architecture.ARM64,
    )
    amd64 = await prepare(Nix(environment=environment), tiny_source, tmp_path / "amd64", "hello")
    assert arm64.paths != amd64.paths


async def test_lines_are_logged_with_their_phase(
    nix_environment, tiny_source, tmp_path, salt, listen
):
    listener = listen()
    nix = Nix(environment=nix_environment, evaluation=Evaluation(config={"salt": salt}))
    with pytest.raises(BuildFailed):
        await prepare(nix, tiny_source, tmp_path / "root", "failing")
    told = [(line["phase"], line["kind"], line["line"]) for line in listener.lines]
    assert ("build", "log", "this package cannot be built") in told
    assert any(phase == "build" and kind == "activity" for phase, kind, _ in told)
    assert any(phase == "realise" and "will be built" in text for phase, _, text in told)


@pytest.mark.parametrize("name", ["chatty", "chatty-line"])
async def test_ten_megabytes_of_log(nix_environment, tiny_source, tmp_path, salt, listen, *, name):
    """They neither block nor fill memory; the closure is there afterwards."""
    listen()
    nix = Nix(environment=nix_environment, evaluation=Evaluation(config={"salt": salt}))
    with anyio.fail_after(60):
        assert await prepare(nix, tiny_source, tmp_path / "root", name)


async def test_cancelling_ends_the_builder(nix_environment, tiny_source, tmp_path, salt, listen):
    """After a client left or a deadline passed, no process of the build continues."""
    listener = listen("sleeping")
    nix = Nix(environment=nix_environment, evaluation=Evaluation(config={"salt": salt}))
    packages = await nix.evaluate(tiny_source, request("slow"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(nix.realise, packages, tmp_path / "root")
        await listener.heard.wait()
        builders = with_environment(salt)
        tasks.cancel_scope.cancel()
    assert builders
    assert all(map(ended, builders))


async def test_deadline_of_an_evaluation(nix_environment, tmp_path):
    """An endless evaluation is ended as well; NIX_TIMEOUT does not limit it."""
    (tmp_path / "default.nix").write_text(
        "with builtins; let numbers = genList (n: n) 100000; sum = foldl' (a: b: a + b); in "
        "{ a = foldl' (a: _: sum a numbers) 0 numbers; }"
    )
    nix = Nix(environment={**nix_environment, "MARK": str(tmp_path)})
    with pytest.raises(TimeoutError), anyio.fail_after(0.5):
        await nix.evaluate(source_of(tmp_path), request("a"))
    assert with_environment(f"MARK={tmp_path}") == []


async def test_builders_do_not_see_secrets(nix_environment, tiny, tmp_path):
    """Not even one that requests them, as a fixed-output derivation may."""
    (tmp_path / "default.nix").write_text(f"""{{
      a = derivation {{
        name = "a";
        system = "x86_64-linux";
        builder = "${{builtins.path {{ name = "busybox-boot"; path = {tiny}/boot; }}}}/busybox";
        args = [ "sh" "-c" "echo asked: $S3_SECRET_KEY $LANG; exit 1" ];
        outputHashMode = "recursive";
        outputHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        impureEnvVars = [ "S3_SECRET_KEY" "LANG" ];
      }};
    }}""")
    environment = {**nix_environment, "S3_SECRET_KEY": "sesame", "LANG": "C.UTF-8"}
    nix = Nix(environment=environment, evaluation=Evaluation(allowed_paths=(tiny,)))
    with pytest.raises(BuildFailed) as caught:
        await prepare(nix, source_of(tmp_path), tmp_path / "root", "a")
    assert "asked: C.UTF-8" in (line.replace("  ", " ") for line in caught.value.log)

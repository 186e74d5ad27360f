"""Nix for other users than root: in a chroot store, and through the daemon.

The daemon is a second one, with a separate store and socket. Its build user exists only in its
mount namespace, so this machine is not changed; the same holds for /media, where its store is: Nix
2.34 does not build as other users below a world-writable directory such as /tmp.
"""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import anyio
import pytest
from support.processes import ended, owner, with_environment
from support.tiny_set import NIX_CONF_DIR, request, source_of

import nixery.expressions
from nixery import confinement
from nixery.errors import BuildFailed, Denied, NixeryError, TimedOut
from nixery.image_name import Architecture
from nixery.nix import Evaluation, Nix

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.nix,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]

NOBODY = 65534
BUILD_USER = 39000


@dataclass
class Place:
    """A directory that ordinary users can read: the set, the command, and their files."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    builder_id: int = NOBODY

    @property
    def source(self):
        return source_of(self.directory / "tiny")

    @property
    def roots(self):
        return self.directory / "roots"

    def nix(self, **options):
        return Nix(environment=self.environment, command="as-nobody", **options)


@pytest.fixture(scope="module")
def place(tiny):
    """The command as packaging installs it: the expressions' directory filled in."""
    directory = Path(mkdtemp(prefix="nixery-users-"))
    directory.chmod(0o755)
    shutil.copytree(tiny, directory / "tiny")
    expressions = Path(nixery.expressions.__file__).parent
    for file in expressions.glob("*.nix"):
        shutil.copy(file, directory)
    for own in ("bin", "conf", "home", "roots", "store"):
        (directory / own).mkdir()
    for theirs in ("home", "roots", "store"):
        os.chown(directory / theirs, NOBODY, NOBODY)
    script = (expressions / "prepare-image.sh").read_text()
    command = directory / "bin/nixery-prepare-image"
    command.write_text(script.replace("@expressions@", str(directory)))
    wrapper = directory / "bin/as-nobody"
    wrapper.write_text(
        "#!/bin/sh\n"
        # The home of a confined command belongs to the user who made it.
        f'case $HOME in {directory}/*) ;; *) chown {NOBODY} "$HOME" ;; esac\n'
        f"exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "
        'nixery-prepare-image "$@"\n'
    )
    for program in (command, wrapper):
        program.chmod(0o755)
    shutil.copy(NIX_CONF_DIR / "nix.conf", directory / "conf")
    # The command becomes another user when it is already confined, which needs root's privileges.
    launcher = directory / "confinement/launcher.py"
    shutil.copytree(confinement.LAUNCHER.parent, launcher.parent)
    dropping = "    drop_capabilities()\n    succeed"
    text = launcher.read_text()
    assert text.count(dropping) == 1
    launcher.write_text(text.replace(dropping, "    succeed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confinement, "_START", (sys.executable, "-E", "-s", "-S", str(launcher)))
        yield Place(directory)
    shutil.rmtree(directory)


def environment(place, **more):
    return {
        "PATH": f"{place.directory}/bin:{os.environ['PATH']}",
        "HOME": str(place.directory / "home"),
        "NIX_CONF_DIR": str(place.directory / "conf"),
        **more,
    }


@pytest.fixture(scope="module")
def daemon(place):
    """A nix-daemon that builds as a separate user; returns the address of its store."""
    files = place.directory / "daemon"
    files.mkdir()
    passwd = f"nixbld1:x:{BUILD_USER}:{BUILD_USER}::/:/bin/false\n"
    (files / "passwd").write_text(Path("/etc/passwd").read_text() + passwd)
    group = f"nixbld:x:{BUILD_USER}:nixbld1\n"
    (files / "group").write_text(Path("/etc/group").read_text() + group)
    conf = (NIX_CONF_DIR / "nix.conf").read_text()
    (files / "nix.conf").write_text(
        conf.replace("build-users-group =", "build-users-group = nixbld")
    )
    (files / "store").mkdir()
    address = files / "socket"
    script = f"""
        mount --bind {files}/passwd /etc/passwd
        mount --bind {files}/group /etc/group
        mount --bind {files}/store /media
        export LISTEN_FDS=1 LISTEN_PID=$$
        exec nix-daemon 3<&"$1"
    """
    with socket.socket(socket.AF_UNIX) as listening:
        # The daemon takes the socket over, as from systemd: clients need not wait for its start.
        listening.bind(str(address))
        address.chmod(0o666)
        listening.listen()
        number = listening.fileno()
        running = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--propagation=private",
                "bash",
                "-euc",
                script,
                "-",
                str(number),
            ],
            env=environment(place, NIX_CONF_DIR=str(files), NIX_REMOTE="/media", HOME=str(files)),
            pass_fds=[number],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    yield f"unix://{address}?root={files}/store"
    running.terminate()
    running.wait()


@pytest.fixture(params=["chroot store", "daemon"])
def user(request, place):
    """An ordinary user with a store."""
    if request.param == "daemon":
        remote, builder = request.getfixturevalue("daemon"), BUILD_USER
    else:
        remote, builder = str(place.directory / "store"), NOBODY
    return Place(place.directory, environment(place, NIX_REMOTE=remote), builder)


async def prepare(user, nix, root, *names, **options):
    packages = await nix.evaluate(user.source, request(*names, **options))
    await nix.realise(packages, root)
    return packages, await nix.closure([path for p in packages for path in p.paths])


async def test_build(user, salt):
    """Evaluated, built, rooted and listed by a user who owns nothing in /nix."""
    nix = user.nix(evaluation=Evaluation(config={"salt": salt}))
    packages, closure = await prepare(user, nix, user.roots / salt, "hello", "curl")
    assert {info.path[44:] for info in closure.paths} >= {"hello-2.12.1", "curl-8.11.0-bin"}
    assert (user.roots / salt).readlink() == Path(packages[0].paths[0])
    assert (user.roots / salt).lstat().st_uid == NOBODY


FAILURES = [
    ("failing", BuildFailed, "build_failed", "this package cannot be built"),
    ("forging", BuildFailed, "build_failed", "forging failed to build"),
    ("bad-hash", BuildFailed, "hash_mismatch", "bad-hash has another hash"),
    ("no-output", BuildFailed, "no_output", "did not make its output"),
    ("slow", TimedOut, "builder_timeout", "slow was not built within 1 seconds"),
]


@pytest.mark.parametrize(
    ("name", "kind", "cause", "text"), FAILURES, ids=[name for name, *_ in FAILURES]
)
async def test_failures(user, salt, *, name, kind, cause, text):
    """Distinguished by their text: through the daemon each ends with status 1."""
    nix = user.nix(
        evaluation=Evaluation(config={"salt": salt}), nix_timeout=1 if name == "slow" else 60
    )
    with pytest.raises(kind) as caught:
        await prepare(user, nix, user.roots / salt, name)
    assert caught.value.cause == cause
    assert text in caught.value.message


async def test_no_builder(user, salt):
    nix = user.nix(evaluation=Evaluation(config={"salt": salt}))
    with pytest.raises(Denied, match="no builder for aarch64-linux is available"):
        await prepare(user, nix, user.roots / salt, "hello", architecture=Architecture.ARM64)


async def test_cancelling_ends_the_builder(user, salt, listen):
    """Including the daemon's builder, which is not our process and runs as another user."""
    listener = listen("sleeping")
    nix = user.nix(evaluation=Evaluation(config={"salt": salt}))
    packages = await nix.evaluate(user.source, request("slow"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(nix.realise, packages, user.roots / salt)
        await listener.heard.wait()
        builders = with_environment(salt)
        owners = set(map(owner, builders))
        tasks.cancel_scope.cancel()
    assert builders
    assert owners == {user.builder_id}
    assert all(map(ended, builders))


async def test_nothing_of_the_place_is_needed(place):
    """A store that the user may not write is reported as such, not as a fault of the package."""
    environment_ = environment(place, NIX_REMOTE=str(place.directory / "bin"))
    nix = Place(place.directory, environment_).nix()
    with pytest.raises(NixeryError, match="the Nix store cannot be used") as caught:
        await nix.evaluate(place.source, request("hello"))
    assert caught.value.cause == "no_store"


async def test_no_daemon(place):
    address = f"unix://{place.directory}/nobody-listens"
    nix = Place(place.directory, environment(place, NIX_REMOTE=address)).nix()
    with pytest.raises(NixeryError, match="check that it runs") as caught:
        await nix.evaluate(place.source, request("hello"))
    assert caught.value.cause == "no_daemon"


async def test_no_nix(place):
    """A new machine: the script exists, Nix does not."""
    only = place.directory / "only"
    only.mkdir()
    for program in ("sh", "cat", "sed"):
        (only / program).symlink_to(shutil.which(program))
    without = environment(place, PATH=f"{place.directory}/bin:{only}")
    nix = Nix(environment=without)
    with pytest.raises(NixeryError, match=r"Nix cannot be run, install it: .*not found") as caught:
        await nix.evaluate(place.source, request("hello"))
    assert caught.value.cause == "no_nix"

"""The image's root follows no link into this machine, or to paths outside of the image."""

import os

import pytest
from support.registry import Registry, pull

from nixery.archive import Uncompressed, pack_environment
from nixery.archive.listing import child_lister
from nixery.errors import StoreDamaged
from nixery.oci import Format
from nixery.storage.memory import MemoryStorage

PATHS = ["/nix/store/one", "/nix/store/two"]
CANARY = "canary-of-this-machine"


@pytest.fixture
def root(tmp_path):
    """Two packages with a directory that is merged, so that each looks behind its links."""
    for path in PATHS:
        (tmp_path / "root" / path[1:] / "share/x" / path[-3:]).mkdir(parents=True)
    (tmp_path / "root/nix/store/outsider" / CANARY).mkdir(parents=True)
    (tmp_path / "root" / CANARY / CANARY).mkdir(parents=True)
    (tmp_path / "outside" / CANARY).mkdir(parents=True)
    return tmp_path / "root"


def packed(root, closure=PATHS):
    """All bytes of the environment layer of both."""
    storage = MemoryStorage()
    pack_environment([[path] for path in PATHS], closure, root, storage, Uncompressed())
    return b"".join(storage.objects.values())


def with_link(root, target):
    (root / "nix/store/one/share/link").symlink_to(target)
    (root / "nix/store/two/share/link").mkdir(exist_ok=True)
    (root / "nix/store/two/share/link/own").touch()


UP = "../" * 30
LEADING_OUT = [
    "/etc",
    "//etc//./",
    f"{UP}etc",
    "/proc/self/root/etc",
    "/proc/self/cwd",
    "/dev/fd",
    "/nix/store/../../etc",
    "/nix/store/one/../../../etc",
    "/nix/./store/one/share/../../../../{outside}",
    "/nix/store",
    "/nix",
    "/",
    "{outside}",
    UP + "{outside}",
    f"/{CANARY}",
    f"../../../../../{CANARY}",
    "/nix/store/outsider",
    "../../outsider",
    "/nix/store/outsider/../one/share",
    "/nix/store/one/missing/../share",
    "/nix/store/one/share/file/../x",
    "/nix/store/one/share/file/.",
    "/nix/store/" + "n" * 300,
    "/nix/store/one/" + "n" * 300,
    "/nix/store/one/" + "share/../" * 440 + UP + "etc",
    "link",
]


@pytest.mark.parametrize("target", LEADING_OUT)
def test_a_link_that_leads_out_leads_nowhere(root, tmp_path, target):
    (root / "nix/store/one/share/file").touch()
    with_link(root, "missing")
    expected = packed(root)
    (root / "nix/store/one/share/link").unlink()
    with_link(root, target.format(outside=tmp_path / "outside"))
    assert packed(root) == expected
    assert CANARY.encode() not in expected


@pytest.mark.parametrize(
    "target", ["x", "../share/x", "/nix/store/two/share/x", "//nix/store/./one/share/../share/x/"]
)
def test_a_link_within_the_image_is_followed(root, target):
    with_link(root, target)
    assert b"share/link/own" in packed(root)


@pytest.mark.parametrize("replaced", ["share/x", "share"])
def test_a_directory_replaced_by_a_link_is_not_looked_into(root, tmp_path, replaced):
    """Between reading its type and reading its contents."""
    (tmp_path / "outside/x").mkdir()
    place = root / "nix/store/one" / replaced
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "outside")
    look = child_lister(os.fsencode(root), map(os.fsencode, PATHS))
    with pytest.raises(StoreDamaged, match="/nix/store/one/share/x is no longer a directory"):
        list(look(b"/nix/store/one/share/x"))


async def digest_on_a_machine(directory, *, has_the_other):
    """Of an image whose package has a link to a store path that is not in its closure."""
    registry = Registry(directory)
    other = "/nix/store/" + "o" * 32 + "-other"
    for name in ("hello", "git"):
        path = registry.nix.packages[name].paths[0]
        share = registry.nix.root / path[1:] / "share"
        (share / "merged").mkdir(parents=True)
        (share / "merged" / name).touch()
    (share / "merged").rename(share / "own")
    (share / "merged").symlink_to(other)
    if has_the_other:
        (registry.nix.root / other[1:] / CANARY).mkdir(parents=True)
    image = await pull(registry, "git/hello")
    return image.manifests[Format.OCI].digest


@pytest.mark.anyio
async def test_the_digest_is_that_of_a_machine_without_the_other_path(tmp_path):
    with_it = await digest_on_a_machine(tmp_path / "with", has_the_other=True)
    assert with_it == await digest_on_a_machine(tmp_path / "without", has_the_other=False)

"""Garbage collector roots exist exactly as long as they are needed."""

import subprocess
import sys

import pytest

from nixery.nix.gc_roots import Roots


def links(directory):
    """Dangling ones too: the store path need not exist."""
    return [path for path in directory.glob("**/*") if path.is_symlink()]


def test_a_reserved_place_is_removed_with_its_links(tmp_path):
    with Roots(tmp_path / "roots").opened() as roots:
        with roots.reserve() as root:
            root.symlink_to("/nix/store/x")
            root.with_name("root-2").symlink_to("/nix/store/y")
        assert not root.parent.exists()
    assert list((tmp_path / "roots").iterdir()) == []


def test_each_place_is_its_own(tmp_path):
    with Roots(tmp_path).opened() as roots, roots.reserve() as one, roots.reserve() as other:
        assert one != other


def test_a_living_process_keeps_its_roots(tmp_path):
    with Roots(tmp_path).opened() as first, first.reserve() as root:
        root.symlink_to("/nix/store/x")
        with Roots(tmp_path).opened():
            assert root.is_symlink()


def test_the_roots_of_a_dead_process_are_swept(tmp_path):
    """Killed in the middle: the next start finds its roots and removes them."""
    script = (
        "import os, sys, pathlib\n"
        "from nixery.nix.gc_roots import Roots\n"
        "with Roots(pathlib.Path(sys.argv[1])).opened() as roots, roots.reserve() as root:\n"
        "    root.symlink_to('/nix/store/x')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert ended.returncode == -9
    assert links(tmp_path)
    with Roots(tmp_path).opened():
        assert not links(tmp_path)


def test_a_failure_in_the_block_removes_them_too(tmp_path):
    with pytest.raises(ValueError), Roots(tmp_path).opened() as roots, roots.reserve():
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_what_others_put_there_stays(tmp_path):
    """NIXERY_ROOTS_DIR may be a directory that has a use already."""
    (tmp_path / "auto").mkdir()
    (tmp_path / "auto" / "profile").symlink_to("/nix/store/x")
    with Roots(tmp_path).opened():
        pass
    assert (tmp_path / "auto" / "profile").is_symlink()

"""Valid destinations of an image, and those refused before anything is built."""

import os
import stat
from pathlib import Path

import pytest

from nixery.errors import ConfigurationError
from nixery.standalone import destination
from nixery.standalone.build import build_archive, build_layout
from nixery.standalone.prepare import Order

HELLO = Order("hello")


@pytest.fixture
def refuses(tools):
    """The message; nothing was built."""

    def refuses(build, target):
        with pytest.raises(ConfigurationError) as caught:
            build(HELLO, tools, None, target)
        assert tools.nix.steps == []
        return caught.value.message

    return refuses


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def is_pipe(path):
    return stat.S_ISFIFO(path.lstat().st_mode)


def test_a_pipe_is_not_replaced_by_an_archive(refuses, pipe):
    assert "is not a regular file" in refuses(build_archive, pipe)
    assert is_pipe(pipe)


def test_a_link_to_a_pipe_is_not_replaced_by_an_archive(refuses, pipe, tmp_path):
    (tmp_path / "stdout").symlink_to(pipe)
    assert "is not a regular file" in refuses(build_archive, tmp_path / "stdout")
    assert is_pipe(pipe)
    assert (tmp_path / "stdout").is_symlink()


def test_an_open_pipe_without_a_name_is_refused(refuses):
    """As /dev/stdout often is: the link in /proc names nothing that could be made."""
    reading, writing = os.pipe()
    try:
        said = refuses(build_archive, Path(f"/proc/self/fd/{writing}"))
    finally:
        os.close(reading)
        os.close(writing)
    assert "is not a regular file" in said


def test_a_pipe_is_not_a_directory(refuses, pipe):
    assert "is not an empty directory" in refuses(build_layout, pipe)
    assert is_pipe(pipe)


@pytest.mark.parametrize("there", [True, False])
def test_the_file_that_a_link_leads_to_is_made(tools, tmp_path, there):
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere/hello.tar", tmp_path / "link"
    link.symlink_to(file)
    if there:
        file.write_text("before")
    build_archive(HELLO, tools, None, link)
    assert link.is_symlink()
    assert file.stat().st_size > 1000
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("there", [True, False])
def test_the_directory_that_a_link_leads_to_is_made(tools, tmp_path, there):
    (tmp_path / "elsewhere").mkdir()
    directory, link = tmp_path / "elsewhere/layout", tmp_path / "link"
    link.symlink_to("elsewhere/layout")
    if there:
        directory.mkdir()
    build_layout(HELLO, tools, None, link)
    assert link.is_symlink()
    assert (directory / "index.json").is_file()
    assert list(directory.parent.iterdir()) == [directory]


@pytest.mark.parametrize("build", [build_layout, build_archive])
def test_a_link_into_nowhere_is_refused(refuses, tmp_path, build):
    (tmp_path / "link").symlink_to(tmp_path / "missing/image")
    assert "create it first" in refuses(build, tmp_path / "link")


@pytest.mark.parametrize("build", [build_layout, build_archive])
def test_links_in_a_circle_are_refused(tools, tmp_path, build):
    (tmp_path / "one").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "one")
    with pytest.raises(OSError, match="Too many levels"):
        build(HELLO, tools, None, tmp_path / "one")
    assert tools.nix.steps == []
    assert (tmp_path / "one").is_symlink()


@pytest.mark.parametrize("named", [".", "../here"])
def test_the_current_directory_is_refused(refuses, tmp_path, monkeypatch, named):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "is the current directory" in refuses(build_layout, Path(named))


@pytest.mark.parametrize(
    ("build", "make"), [(build_layout, Path.mkdir), (build_archive, Path.touch)]
)
def test_a_mount_point_is_refused(refuses, tmp_path, monkeypatch, build, make):
    """Such as a volume of the container: a rename cannot replace it."""
    make(tmp_path / "an image")
    line = f"37 29 0:31 /part {tmp_path}/an\\040image rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    (tmp_path / "mountinfo").write_text(destination.MOUNTS.read_text() + line)
    monkeypatch.setattr(destination, "MOUNTS", tmp_path / "mountinfo")
    assert "is a mount point" in refuses(build, tmp_path / "an image")


@pytest.mark.parametrize("build", [build_layout, build_archive])
def test_a_place_below_a_file_is_refused(refuses, tmp_path, build):
    (tmp_path / "file").touch()
    assert "is not a directory" in refuses(build, tmp_path / "file/image")

"""`nixery gc` and `nixery verify`, on a directory that a server left."""

import json
import os

import pytest
from click.testing import CliRunner
from support.stored import DAY, Stored

from nixery.cli import main
from nixery.oci import Format, digest_of, hexdigits
from nixery.storage import layer_key
from nixery.storage.filesystem import FilesystemStorage


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("nixery.gc.collection.SETTLE", 0)


@pytest.fixture
def directory(tmp_path):
    """Where two images are, of which one was pulled today."""
    directory = tmp_path / "storage"
    stored = Stored(FilesystemStorage(directory))
    stored.image("git", b"libc", b"git")
    htop = stored.image("htop", b"libc", b"htop")
    for file in directory.rglob("*"):
        os.utime(file, (file.stat().st_mtime - 30 * DAY,) * 2)
    stored.pull(htop)
    return directory


@pytest.fixture
def nixery(directory):
    def run(*arguments, code=0, **environ):
        settings = {"NIXERY_STORAGE_BACKEND": "filesystem", "STORAGE_PATH": str(directory)}
        unset = dict.fromkeys(["NIXERY_PKGS_PATH", "NIXERY_CHANNEL", "NIXERY_PKGS_REPO"])
        result = CliRunner().invoke(main, arguments, env=unset | settings | environ)
        assert result.exit_code == code, result.output
        return result

    return run


def files(directory):
    return {
        str(file.relative_to(directory)): file.stat().st_mtime_ns
        for file in directory.rglob("*")
        if file.is_file()
    }


def is_there(directory, data):
    return (directory / layer_key(digest_of(data))).exists()


def test_the_least_recently_pulled_goes(nixery, directory):
    said = nixery("gc", "--keep-bytes", "1K").stdout.splitlines()
    there = [is_there(directory, data) for data in (b"libc", b"htop", b"git")]
    assert there == [True, True, False]
    assert [line.split()[0] for line in said[1:-2]] == ["manifests", "layers", "builds", "plans"]
    assert said[-2].startswith("freed ")
    assert "with 1 images" in said[-2]
    assert said[-1].startswith("more than 1.0 KiB stay")


def test_what_was_not_pulled_for_long_goes(nixery, directory):
    nixery("gc", "--older-than", "31d")
    assert is_there(directory, b"git")
    nixery("gc", "--older-than", "29d")
    assert not is_there(directory, b"git")


def test_json_lists_what_was_removed(nixery, directory):
    outcome = json.loads(nixery("gc", "--older-than", "7d", "--json").stdout)
    assert outcome["dry_run"] is False
    assert len(outcome["images"]) == 1
    assert len(outcome["images"][0]["manifests"]) == len(Format)
    assert outcome["freed"]["bytes"] == sum(kind["bytes"] for kind in outcome["kinds"].values())
    assert outcome["left"]["objects"] == len(files(directory)) - 1  # the lock is not an object


def test_a_dry_run_writes_nothing(nixery, directory):
    before = files(directory)
    said = nixery("gc", "--keep-bytes", "0", "--dry-run").stdout
    assert "would free" in said
    assert files(directory) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param([], "give either", id="neither"),
        pytest.param(["--keep-bytes", "1G", "--older-than", "1d"], "give either", id="both"),
        pytest.param(["--keep-bytes", "lots"], "'lots' is not a size", id="no size"),
        pytest.param(["--keep-bytes", "-1"], "is not a size", id="negative"),
        pytest.param(["--older-than", "30"], "'30' is not an age", id="no unit"),
    ],
)
def test_wrong_use(nixery, directory, arguments, said):
    before = files(directory)
    assert said in nixery("gc", *arguments, code=2).output
    assert files(directory) == before


@pytest.mark.parametrize("command", [["gc", "--keep-bytes", "1G"], ["verify"]])
def test_a_missing_directory_is_not_an_empty_storage(nixery, tmp_path, command):
    """It would be well, and below every limit."""
    result = nixery(*command, code=2, STORAGE_PATH=str(tmp_path / "mistyped"))
    assert "this directory does not exist" in result.stderr
    assert not (tmp_path / "mistyped").exists()


def test_a_sound_storage(nixery):
    assert "0 damaged, 0 missing" in nixery("verify").stdout


def test_damage_is_printed_and_sets_the_exit_code(nixery, directory):
    git = digest_of(b"git")
    (directory / layer_key(git)).write_bytes(b"gat")
    findings = json.loads(nixery("verify", "--json", code=1).stdout)
    assert (findings["well"], findings["damaged"]) == (False, [git])
    assert (directory / "quarantine" / hexdigits(git)).read_bytes() == b"gat"
    assert f"missing: {git}" in nixery("verify", code=1).stdout


def test_a_disk_that_fails_is_one_line(nixery, monkeypatch):
    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(FilesystemStorage, "list", broken)
    result = nixery("gc", "--keep-bytes", "1G", code=1)
    assert result.stderr == "nixery: [Errno 5] Input/output error\n"

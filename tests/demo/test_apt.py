"""The use of apt, and the messages when it fails. A script replaces the program here."""

import hashlib
import os

import pytest
from debset.apt import Apt, AptFailed, Deb, ListsMissing, is_whole, parse_record, persist
from debset.progress import Progress

RECORD = """\
Package: git
Version: 1:2.39.5-0+deb12u3
Architecture: amd64
Pre-Depends: libc6
Depends: perl, zlib1g
Description: fast
 and more
Size: 3
SHA256: abc
"""


@pytest.fixture
def apt(tmp_path):
    made = Apt(tmp_path / "work", Progress())
    made.prepare()
    return made


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a shell script on PATH in place of a program; each run is recorded in ``calls``."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)

    def put(name, script):
        path = directory / name
        path.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\n{script}\n')
        path.chmod(0o755)
        return tmp_path / "calls"

    return put


def test_resolving_gives_names_and_versions(apt, program):
    calls = program(
        "apt-get",
        "echo \"'mirror/git_1%3a2_amd64.deb' git_1%3a2_amd64.deb 3 MD5Sum:x\"; echo Reading",
    )
    assert apt.resolve(["git"]) == ["git=1:2"]
    assert f"Dir::State::status={apt.work}/status" in calls.read_text()


def test_records(apt, program):
    program("apt-cache", f"cat <<'END'\n{RECORD}\nEND")
    assert apt.show(["git"]) == [
        Deb(
            name="git",
            version="1:2.39.5-0+deb12u3",
            file="git_1%3a2.39.5-0+deb12u3_amd64.deb",
            size=3,
            sha256="abc",
            depends="libc6, perl, zlib1g",
            provides="",
            description="fast",
            homepage="",
        )
    ]
    assert parse_record("Description: fast\n and: more\nSize: 3") == {
        "Description": "fast",
        "Size": "3",
    }


def make_deb_record(content=b"deb"):
    digest = hashlib.sha256(content).hexdigest()
    return Deb("a", "1", "a_1_all.deb", len(content), digest, "", "", "", "")


def test_a_download_is_moved_when_it_is_whole(apt, program, tmp_path):
    program("apt-get", "printf deb > a_1_all.deb")
    assert apt.download([make_deb_record()], tmp_path / "debs") == 3
    assert (tmp_path / "debs/a_1_all.deb").read_bytes() == b"deb"
    assert not (tmp_path / "debs.part").exists()


def test_existing_packages_are_not_downloaded(apt, program, tmp_path):
    calls = program("apt-get", "exit 1")
    (tmp_path / "debs").mkdir()
    (tmp_path / "debs/a_1_all.deb").write_bytes(b"deb")
    assert apt.download([make_deb_record()], tmp_path / "debs") == 0
    assert not calls.exists()


def test_a_wrong_download_is_refused(apt, program, tmp_path):
    program("apt-get", "printf bad > a_1_all.deb")
    with pytest.raises(AptFailed, match="does not match apt's lists"):
        apt.download([make_deb_record()], tmp_path / "debs")
    assert not (tmp_path / "debs/a_1_all.deb").exists()


@pytest.mark.parametrize("content", [b"de", b"dex"], ids=["short", "changed"])
def test_whole_means_every_byte(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    assert not is_whole(path, make_deb_record())


def test_a_failing_mirror_is_tried_again(apt, program, tmp_path):
    """It fails first and succeeds the second time, after the lists were fetched."""
    calls = program(
        "apt-get",
        f'[ "$1" = update ] || [ -e {tmp_path}/tried ] || '
        f'{{ touch {tmp_path}/tried; echo "E: Failed to fetch x" >&2; exit 100; }}',
    )
    assert persist(apt, lambda: apt.resolve(["git"]), pause=0) == []
    expected = ["install", "update", "install"] if os.geteuid() == 0 else ["install", "install"]
    assert [line.split()[0] for line in calls.read_text().splitlines()] == expected


def test_a_mirror_that_stays_away_is_named(apt, program):
    calls = program(
        "apt-get", 'echo "W: x" >&2; echo "E: Failed to fetch from the mirror" >&2; exit 100'
    )
    with pytest.raises(AptFailed, match=r"tried 3 times: .*Failed to fetch from the mirror"):
        persist(apt, lambda: apt.resolve(["git"]), pause=0)
    assert calls.read_text().count("install ") == 3


def test_an_unknown_package_means_old_lists(apt, program):
    program("apt-get", 'echo "E: Unable to locate package gti" >&2; exit 100')
    with pytest.raises(ListsMissing, match="Unable to locate package gti"):
        apt.resolve(["gti"])


def test_no_record_means_old_lists(apt, program):
    program("apt-cache", 'echo "E: No packages found" >&2; exit 100')
    with pytest.raises(ListsMissing):
        apt.show(["gti"])


def test_only_root_can_fetch_lists(apt, program, monkeypatch):
    program("apt-get", 'echo "E: Unable to locate package git" >&2; exit 100')
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(AptFailed, match="only root may fetch them"):
        persist(apt, lambda: apt.resolve(["git"]), pause=0)

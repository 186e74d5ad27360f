"""Gets packages from apt, which knows the addresses and checks the signatures.

The machine's installed packages are ignored: the status file is empty, so every dependency is
listed, and Debian's packages are preferred to those of other repositories that apt may know.
"""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from debset.progress import Progress

Result = TypeVar("Result")

ATTEMPTS = 3
PAUSE = 3.0  # seconds before the second attempt; doubled before the third

_PREFERENCES = """\
Package: *
Pin: release o=Debian
Pin-Priority: 990
"""


class AptFailed(Exception):
    """apt does not have the package, or the mirror does not answer; the message is for a person."""


class ListsMissing(AptFailed):
    """apt does not know a package: its lists were never fetched, or are outdated."""


@dataclass(frozen=True, slots=True)
class Deb:
    name: str
    version: str
    file: str
    """As apt names it in its cache: ``git_1%3a2.39.5-0+deb12u3_amd64.deb``."""
    size: int
    sha256: str
    depends: str
    """Pre-Depends and Depends as Debian writes them: ``libc6 (>= 2.34), perl | mawk``."""
    provides: str
    description: str
    homepage: str


@dataclass(frozen=True, slots=True)
class Apt:
    """``work`` is a private directory for apt's empty status."""

    work: Path
    progress: Progress

    def prepare(self) -> None:
        (self.work / "archives/partial").mkdir(parents=True, exist_ok=True)
        (self.work / "status").write_text("")
        (self.work / "preferences").write_text(_PREFERENCES)

    @property
    def _options(self) -> list[str]:
        settings = {
            "Dir::State::status": self.work / "status",
            "Dir::Cache::archives": self.work / "archives",
            # A private cache with our status; otherwise every call reads the lists again.
            "Dir::Cache::pkgcache": self.work / "pkgcache.bin",
            "Dir::Cache::srcpkgcache": self.work / "srcpkgcache.bin",
            "Dir::Etc::preferences": self.work / "preferences",
            "Dir::Etc::preferencesparts": self.work / "none",
            "Acquire::Retries": "3",
            # Where apt drops root's privileges, its user cannot write to root's directory.
            "APT::Sandbox::User": "root",
        }
        return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def resolve(self, names: Iterable[str]) -> list[str]:
        """All packages that installing these would install, as ``name=version``."""
        command = ["apt-get", "install", "--yes", "--no-install-recommends", "--print-uris", "-qq"]
        lines = self._run([*command, *self._options, *names]).splitlines()
        return [_name_and_version(line.split()[1]) for line in lines if line.startswith("'")]

    def show(self, wanted: Iterable[str]) -> list[Deb]:
        """The records of packages, given as ``name`` or ``name=version``."""
        text = self._run(["apt-cache", *self._options, "show", "--no-all-versions", *wanted])
        records = [parse_record(record) for record in text.split("\n\n") if record.strip()]
        return [_deb(record) for record in records]

    def download(self, debs: Iterable[Deb], into: Path) -> int:
        """Downloads the packages that are missing or incomplete; returns the bytes downloaded."""
        missing = [deb for deb in debs if not is_whole(into / deb.file, deb)]
        if not missing:
            return 0
        total = sum(deb.size for deb in missing)
        part = into.with_name("debs.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        into.mkdir(exist_ok=True)
        self.progress.say(f"downloading {len(missing)} packages, {total / 1e6:.0f} MB")

        def state() -> str:
            done = sum(path.stat().st_size for path in part.glob("*.deb"))
            return f"downloaded {done / 1e6:.0f} of {total / 1e6:.0f} MB"

        names = [f"{deb.name}={deb.version}" for deb in missing]
        self._run(["apt-get", "download", "-qq", *self._options, *names], cwd=part, state=state)
        for deb in missing:
            if not is_whole(part / deb.file, deb):
                raise AptFailed(f"{deb.file} arrived, but does not match apt's lists")
            (part / deb.file).replace(into / deb.file)
        shutil.rmtree(part)
        return total

    def update(self) -> None:
        """Fetches apt's lists; needs root."""
        self.progress.say("fetching apt's package lists")
        self._run(["apt-get", "update", "-qq"])

    def _run(
        self,
        command: list[str],
        cwd: Path | None = None,
        state: Callable[[], str] | None = None,
    ) -> str:
        env = os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        with self.progress.watch(state):
            done = subprocess.run(
                command, cwd=cwd, env=env, text=True, capture_output=True, check=False
            )
        if done.returncode == 0:
            return done.stdout
        errors = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
        reason = errors[0].removeprefix("E: ") if errors else f"status {done.returncode}"
        if any("Unable to locate package" in e or "no installation candidate" in e for e in errors):
            raise ListsMissing(reason)
        if any("Version" in e and "was not found" in e for e in errors):
            raise ListsMissing(reason)
        if any("No packages found" in e for e in errors):
            raise ListsMissing(reason)
        raise AptFailed(f"{' '.join(command[:2])}: {reason}")


def persist(apt: Apt, work: Callable[[], Result], pause: float = PAUSE) -> Result:
    """Does the work; if apt fails, fetches its lists where possible and tries again.

    Raises AptFailed after ATTEMPTS, with apt's last message.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except AptFailed as failure:
            if attempt == ATTEMPTS:
                raise AptFailed(f"tried {ATTEMPTS} times: {failure}") from None
            if isinstance(failure, ListsMissing):
                if os.geteuid() != 0:
                    raise AptFailed(
                        f"{failure}: apt's lists are missing or old, and only root may fetch them"
                        " (apt-get update)"
                    ) from None
            else:
                apt.progress.say(f"{failure}; trying again in {pause:.0f} s")
                time.sleep(pause)
                pause *= 2
            if os.geteuid() == 0:
                with suppress(AptFailed):  # the work itself will report the error
                    apt.update()
    raise AssertionError("the last attempt returns or raises")


def is_whole(path: Path, deb: Deb) -> bool:
    if not path.exists() or path.stat().st_size != deb.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == deb.sha256


def parse_record(text: str) -> dict[str, str]:
    r"""The fields of a record; of a multi-line field only the first line.

    >>> parse_record("Package: git\nDescription: fast\n slow too")
    {'Package': 'git', 'Description': 'fast'}
    """
    fields = {}
    for line in text.splitlines():
        if line[:1].isspace():
            continue
        key, _, value = line.partition(":")
        fields[key] = value.strip()
    return fields


def _name_and_version(file: str) -> str:
    """The name and version for apt, from the name of a file.

    >>> _name_and_version("git_1%3a2.39.5-0+deb12u3_amd64.deb")
    'git=1:2.39.5-0+deb12u3'
    """
    name, version, _architecture = file.removesuffix(".deb").split("_")
    return f"{name}={unquote(version)}"


def _deb(record: dict[str, str]) -> Deb:
    name, version = record["Package"], record["Version"]
    escaped = version.replace(":", "%3a")
    needs = [record[field] for field in ("Pre-Depends", "Depends") if field in record]
    return Deb(
        name=name,
        version=version,
        file=f"{name}_{escaped}_{record['Architecture']}.deb",
        size=int(record["Size"]),
        sha256=record["SHA256"],
        depends=", ".join(needs),
        provides=record.get("Provides", ""),
        description=record.get("Description", record.get("Description-en", "")),
        homepage=record.get("Homepage", ""),
    )

"""Scans Debian packages: what they provide and need beyond their records."""

import os
import re
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from fromdeb import elf
from fromdeb.deb import clean, open_part, read_files
from fromdeb.layout import is_dropped, is_man, mapped

from debset.progress import Progress

FORMAT = 1  # of scan.json

# Libraries that others link to are in lib itself or in a few directories below it.
_LIBRARY = re.compile(r"lib(?:/[a-z]+|/(?:sasl2|pulseaudio|systemd))?")
_ALTERNATIVE = re.compile(r"(?:--install|--slave)\s+(/\S+)\s+\S+\s+(/[^\s;]+)")


@dataclass(frozen=True, slots=True)
class Contents:
    provides: tuple[str, ...]
    """Libraries, by file and by soname."""
    needs: tuple[str, ...]
    """Libraries that its ELF files need."""
    interpreters: tuple[str, ...]
    """Interpreters of its scripts: ``perl``, ``sh``."""
    links: tuple[tuple[str, str], ...]
    """Debian's alternatives: path, target."""
    has_man: bool

    @property
    def as_json(self) -> dict[str, object]:
        return {
            "provides": self.provides,
            "needs": self.needs,
            "interpreters": self.interpreters,
            "links": self.links,
            "has_man": self.has_man,
        }


def from_json(told: dict[str, object]) -> Contents:
    def words(key: str) -> tuple[str, ...]:
        found = told[key]
        assert isinstance(found, list), key
        return tuple(found)

    links = told["links"]
    assert isinstance(links, list), "links"
    return Contents(
        provides=words("provides"),
        needs=words("needs"),
        interpreters=words("interpreters"),
        links=tuple((path, target) for path, target in links),
        has_man=bool(told["has_man"]),
    )


def scan(deb: Path) -> Contents:
    """Raises NotADeb."""
    provides: set[str] = set()
    needs: set[str] = set()
    interpreters: set[str] = set()
    has_man = False
    for path, entry, archive in read_files(deb):
        has_man = has_man or is_man(path)
        if not entry.isfile() or is_dropped(path):
            continue
        file = archive.extractfile(entry)
        assert file is not None, "a regular file has content"
        head = file.read(256)
        if elf.is_elf(head):
            found = elf.read(head + file.read())
            if found is None:
                continue
            needs.update(found.needed)
            if found.interpreter:
                needs.add(Path(found.interpreter).name)
            directory, name = os.path.split(mapped(path))
            if found.soname or _LIBRARY.fullmatch(directory):
                provides |= {name, found.soname or name}
        elif entry.mode & 0o111 and (program := interpreter(head)):
            interpreters.add(program)
    return Contents(
        provides=tuple(sorted(provides)),
        needs=tuple(sorted(needs)),
        interpreters=tuple(sorted(interpreters)),
        links=tuple(alternatives(_postinst(deb))),
        has_man=has_man,
    )


def interpreter(head: bytes) -> str | None:
    r"""The interpreter of a script.

    >>> interpreter(b"#!/usr/bin/env python3\n")
    'python3'
    """
    if not head.startswith(b"#!"):
        return None
    words = head[2:].split(b"\n")[0].decode("latin-1").split()
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if word != "-S"]
    return Path(words[0]).name if words else None


def alternatives(script: str) -> list[tuple[str, str]]:
    """The links that a maintainer script registers; those with variables are left out.

    >>> alternatives("update-alternatives --install /usr/bin/vi vi /usr/bin/vim.basic 30")
    [('/usr/bin/vi', '/usr/bin/vim.basic')]
    """
    found = _ALTERNATIVE.findall(script.replace("\\\n", " "))
    return [(path, target) for path, target in found if "$" not in path + target]


def _postinst(deb: Path) -> str:
    with open_part(deb, "control") as archive:
        for entry in archive:
            if clean(entry.name) == "postinst":
                file = archive.extractfile(entry)
                return file.read().decode(errors="replace") if file else ""
    return ""


def scan_all(debs: dict[str, Path], progress: Progress) -> dict[str, Contents]:
    """Scans by hash, on all cores; reports progress."""
    found: dict[str, Contents] = {}
    if not debs:
        return found
    progress.say(f"scanning {len(debs)} packages")
    # The largest first, so that none of them runs alone at the end.
    sizes = {digest: path.stat().st_size for digest, path in debs.items()}
    order = sorted(debs, key=lambda digest: -sizes[digest])
    total = sum(sizes.values())

    def state() -> str:
        done = sum(sizes[digest] for digest in list(found))
        return f"scanned {done / 1e6:.0f} of {total / 1e6:.0f} MB"

    with progress.watch(state), ProcessPoolExecutor() as pool:
        running = {pool.submit(scan, debs[digest]): digest for digest in order}
        for future in as_completed(running):
            found[running[future]] = future.result()
    return found

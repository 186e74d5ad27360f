"""Second build step: point programs at the loader, libraries and interpreters in the store."""

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from fromdeb import elf
from fromdeb.spec import Spec

LOADER = "ld-linux-x86-64.so.2"
_INTERPRETERS = {"sh": "dash", "bash": "bash", "dash": "dash", "perl": "perl", "python3": "python3"}
_BATCH = 100  # files per call of patchelf


def files(spec: Spec) -> Iterator[Path]:
    """Regular files of all outputs except ``man``, in a fixed order."""
    for output, root in spec.outputs.items():
        if output == "man":
            continue
        for directory, directories, names in os.walk(root):
            directories.sort()
            for name in sorted(names):
                path = Path(directory, name)
                if not path.is_symlink():
                    yield path


def patch_elf(spec: Spec) -> int:
    """Sets run path and loader; returns the number of changed files."""
    libraries = _libraries(spec)
    glibc = spec.dep("libc6") or spec.main
    groups: dict[tuple[str, bool], list[Path]] = defaultdict(list)
    for path in files(spec):
        if path.name in (LOADER, "libc.so.6") or path.suffix == ".o":
            continue
        with path.open("rb") as file:
            if not elf.is_elf(file.read(16)):
                continue
        found = elf.read(path.read_bytes())
        if found is None:
            continue
        # A dictionary keeps order and removes duplicates. The directory of glibc is always added,
        # because glibc loads libgcc_s and the name services by name.
        wanted = dict.fromkeys(
            str(libraries[name]) for name in found.needed if name in libraries and name != LOADER
        )
        wanted[str(glibc / "lib")] = None
        for name in found.needed:
            if name not in libraries:
                print(f"{path}: nothing provides {name}")
        groups[":".join(wanted), found.interpreter is not None].append(path)
    for (run_path, has_loader), paths in groups.items():
        arguments = ["--set-rpath", run_path]
        if has_loader:
            arguments += ["--set-interpreter", str(glibc / "lib" / LOADER)]
        for start in range(0, len(paths), _BATCH):
            _patchelf(spec, arguments, paths[start : start + _BATCH])
    return sum(map(len, groups.values()))


def _libraries(spec: Spec) -> dict[str, Path]:
    """Directory of each shared library: first from this package, then directly from a ``lib``."""
    found: dict[str, Path] = {}
    own = [path for output, path in spec.outputs.items() if output != "man"]
    for root in [*spec.deps.values(), *own]:
        for directory, directories, names in os.walk(root / "lib"):
            directories.sort()
            for name in sorted(names):
                direct = Path(directory) == root / "lib"
                if ".so" in name and (direct or root in own or name not in found):
                    found[name] = Path(directory)
    return found


def _patchelf(spec: Spec, arguments: list[str], paths: list[Path]) -> None:
    library_path = f"{spec.boot}/lib/x86_64-linux-gnu:{spec.boot}/usr/lib/x86_64-linux-gnu"
    loader = f"{spec.boot}/lib/x86_64-linux-gnu/{LOADER}"
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o755)
    subprocess.run(
        [loader, "--library-path", library_path, f"{spec.boot}/usr/bin/patchelf", *arguments]
        + [str(path) for path in paths],
        check=True,
    )
    for path, mode in modes.items():
        path.chmod(mode)


def patch_strings(spec: Spec) -> int:
    """Replaces paths compiled into ELF files; returns the number of replacements.

    Raises ValueError where the new path has another length.
    """
    changed = 0
    for path in files(spec) if spec.wrap.replace else ():
        content = path.read_bytes()
        if not elf.is_elf(content):
            continue
        for old, new in spec.wrap.replace.items():
            if len(old) != len(new):
                raise ValueError(f"{spec.node}: {old} and {new} differ in length")
            if old.encode() in content:
                content = content.replace(old.encode(), new.encode())
                changed += 1
        mode = path.stat().st_mode
        path.chmod(0o755)
        path.write_bytes(content)
        path.chmod(mode)
    return changed


def patch_scripts(spec: Spec) -> int:
    """Replaces interpreters such as ``#!/usr/bin/perl``; returns the number of changed files."""
    perl_path = [str(directory) for path in perl_paths(spec) for directory in perl_modules(path)]
    changed = 0
    for path in files(spec):
        with path.open("rb") as file:
            if file.read(2) != b"#!":
                continue
        if not path.stat().st_mode & 0o111:
            continue
        line, end, body = path.read_bytes().partition(b"\n")
        words = line[2:].decode("latin-1").split()
        if words and Path(words[0]).name == "env":
            words = [word for word in words[1:] if word != "-S"]
        if not words:
            continue
        name = Path(words[0]).name
        program = find_program(spec, name)
        if program is None:
            print(f"{path}: nothing provides the interpreter {name}")
            continue
        if name == "perl" and perl_path and spec.node != "perl":
            body = f"use lib qw({' '.join(perl_path)});\n".encode() + body
        mode = path.stat().st_mode
        path.chmod(0o755)
        path.write_bytes(b"#!" + " ".join([str(program), *words[1:]]).encode() + end + body)
        path.chmod(mode)
        changed += 1
    return changed


def find_program(spec: Spec, name: str) -> Path | None:
    for place in spec.places:
        if os.path.lexists(place / "bin" / name):
            return place / "bin" / name
    provider = spec.dep(_INTERPRETERS.get(name, ""))
    return provider / "bin" / name if provider else None


def perl_paths(spec: Spec) -> list[Path]:
    """The package and its dependencies, direct and indirect, that contain Perl modules."""
    return [spec.main, *inherited(spec, "perl-path")]


def perl_modules(path: Path) -> list[Path]:
    """Directories of Perl modules in a store path. Compiled modules are in those with a version."""
    found = [path / "lib/perl5", *sorted(path.glob("lib/perl5/5.*")), path / "share/perl5"]
    return [directory for directory in found if directory.is_dir()]


def inherited(spec: Spec, name: str) -> list[Path]:
    """Paths listed in ``nix-support/<name>`` of the dependencies, without duplicates."""
    found: dict[Path, None] = {}
    for path in spec.deps.values():
        listed = path / "nix-support" / name
        if listed.exists():
            found |= dict.fromkeys(map(Path, listed.read_text().split()))
    return list(found)

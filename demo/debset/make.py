"""Makes the set in a directory, when there is something to do."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from fromdeb.deb import read_files

from debset import table as tables
from debset.apt import Apt, Deb, persist
from debset.assemble import Found, assemble
from debset.progress import Progress
from debset.scan import FORMAT, Contents, from_json, scan_all
from debset.table import Attribute, Table


def make(code: Path, output: Path, stamp: str, *, whole: bool) -> None:
    """Writes ``output``; anybody who imports it meanwhile sees the old set or the new one.

    Raises AptFailed.
    """
    os.umask(0o022)  # others import the set
    progress = Progress()
    progress.say(f"making {'the whole set' if whole else 'the small selection'} in {output}")
    for name in ("stamp", "built"):
        (output / name).unlink(missing_ok=True)
    if whole:
        (output / "whole").touch()
    apt = Apt(output / "apt", progress)
    apt.prepare()
    table = tables.read(code / "packages.json")
    attributes = table.select(whole=whole)

    debs = persist(apt, lambda: _fetch(apt, table, attributes, output / "debs"))
    contents = _look_into(debs, output, progress)
    made = assemble(Found(table, debs, contents), attributes)
    _write_code(code, output)
    _write_busybox(output / "debs" / debs["busybox-static"].file, output / "busybox")
    _publish(output / "set.json", json.dumps(made, indent=1, sort_keys=True))
    known = {deb.file for deb in debs.values()}
    for path in (output / "debs").iterdir():
        if path.name not in known:
            path.unlink()
    _publish(output / "stamp", json.dumps({"code": stamp, "whole": whole}))
    progress.say(f"{len(made['nodes'])} packages, {len(attributes)} names: ready")


def _fetch(apt: Apt, table: Table, attributes: tuple[Attribute, ...], into: Path) -> dict[str, Deb]:
    roots = sorted({a.deb for a in attributes} | set(table.boot_roots))
    apt.progress.say(f"asking apt for {len(roots)} packages and their dependencies")
    resolved = apt.resolve(roots)
    extra = table.additions(entry.split("=")[0] for entry in resolved)
    debs = {deb.name: deb for deb in apt.show([*resolved, *extra])}
    apt.download(debs.values(), into)
    return debs


def _look_into(debs: dict[str, Deb], output: Path, progress: Progress) -> dict[str, Contents]:
    """Results of an earlier run are reused."""
    kept = _read_kept(output / "scan.json")
    new = {
        deb.sha256: output / "debs" / deb.file for deb in debs.values() if deb.sha256 not in kept
    }
    found = kept | scan_all(new, progress)
    used = {deb.sha256: found[deb.sha256].as_json for deb in debs.values()}
    _publish(output / "scan.json", json.dumps({"format": FORMAT, "packages": used}))
    return {name: found[deb.sha256] for name, deb in debs.items()}


def _read_kept(path: Path) -> dict[str, Contents]:
    try:
        told: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    if told.get("format") != FORMAT:
        return {}
    return {digest: from_json(contents) for digest, contents in told["packages"].items()}


def _write_code(code: Path, output: Path) -> None:
    _publish(output / "default.nix", (code / "default.nix").read_text())
    # Only sources: Python's cache files must not change the hash.
    staged = output / "builder.new"
    shutil.rmtree(staged, ignore_errors=True)
    for path in sorted((code / "builder").rglob("*.py")):
        target = staged / path.relative_to(code / "builder")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        target.chmod(0o644)  # Nix hashes the executable bit
    _swap(staged, output / "builder")


def _write_busybox(deb: Path, place: Path) -> None:
    staged = place.with_name("busybox.new")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    for path, entry, archive in read_files(deb):
        if path.endswith("bin/busybox") and (file := archive.extractfile(entry)):
            (staged / "busybox").write_bytes(file.read())
            (staged / "busybox").chmod(0o755)
    _swap(staged, place)


def _swap(staged: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    staged.rename(place)


def _publish(path: Path, text: str) -> None:
    """Written to a temporary file and moved: readers see the old file or the new one."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)

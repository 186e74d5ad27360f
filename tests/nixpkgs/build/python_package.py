"""Builds a Python package and installs it with what it depends on, out of a directory of wheels.

    python_package.py REQUEST OUT

REQUEST is JSON, see python.nix. What the package says that it needs is compared with what it was
given, as nixpkgs' pythonRuntimeDepsCheckHook does.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

LIBRARIES = (
    *("libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1"),
    *("libgcc_s.so.1", "libstdc++.so.6"),
)
ZIP_EPOCH = "315532800"
"""1980: files in the store are older than a zip archive can say."""
SCRIPT = """#!{python} -sP
import site
import sys

site.addsitedir({site!r})
import standin_libraries

from {module} import {function}

sys.exit({function}())
"""
PRELOAD = """# Loaded once, a library is found by its name, wherever it lies.
import ctypes
import pathlib

for name in {names!r}:
    for directory in {directories!r}:
        if (pathlib.Path(directory) / name).exists():
            ctypes.CDLL(f"{{directory}}/{{name}}", ctypes.RTLD_GLOBAL)
            break
"""


class Wheels:
    """The wheels of a directory by normalized name; those for this Python."""

    def __init__(self, directory: Path) -> None:
        usable = set(sys_tags())
        self.files = {}
        for file in directory.glob("*.whl"):
            name, _, _, tags = parse_wheel_filename(file.name)
            if usable & tags:
                self.files[name] = file

    def closure(self, names: list[str]) -> list[Path]:
        """Their files, and those of everything that they require."""
        found: dict[str, Path] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self.files[name]
                waiting += [r.name for r in requirements(metadata(self.files[name]))]
        return list(found.values())

    def check(self, wanted: list, given: list[str]) -> None:
        """Ends the build unless every requirement is given, at a version that it accepts."""
        for requirement in wanted:
            name = canonicalize_name(requirement.name)
            if name not in given:
                sys.exit(f"{requirement} is required, and not among the dependencies")
            version = metadata(self.files[name])["Version"]
            if version not in requirement.specifier:
                sys.exit(f"{requirement} is required, and here is {version}")
        surplus = set(given) - {canonicalize_name(requirement.name) for requirement in wanted}
        if surplus:
            sys.exit(f"not required: {surplus}")


def metadata(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        # At the top: a wheel may carry others inside.
        (name,) = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
        return Parser().parsestr(archive.read(name).decode())


def requirements(told, extras=("",)) -> list:
    found = []
    for line in told.get_all("Requires-Dist", ()):
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            requirement.name = canonicalize_name(requirement.name)
            found.append(requirement)
    return found


def build(request, wheels: Wheels) -> Path:
    """The wheel of the source."""
    site = Path.cwd() / "build-system"
    install(wheels.closure(request["buildSystem"]), site)
    code = "import sys; from flit_core.buildapi import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", code, str(Path.cwd())],
        cwd=request["src"],
        env=os.environ | {"PYTHONPATH": str(site), "SOURCE_DATE_EPOCH": ZIP_EPOCH},
        check=True,
    )
    (wheel,) = Path.cwd().glob("*.whl")
    return wheel


def install(files: list[Path], site: Path) -> None:
    site.mkdir(parents=True, exist_ok=True)
    for file in files:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(site)


def write_scripts(wheel: Path, site: Path, python: str, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("entry_points.txt")]
        points = ConfigParser()
        points.read_string(archive.read(name).decode())
    target.mkdir()
    for name, place in points["console_scripts"].items():
        module, function = place.split(":")
        text = SCRIPT.format(python=python, site=str(site), module=module, function=function)
        (target / name).write_text(text)
        (target / name).chmod(0o755)


def run_checks(request, wheels: Wheels, site: Path) -> None:
    """Imports, and with ``doCheck`` the tests, from a copy of the source without the package."""
    imports = "; ".join(f"import {name}" for name in request["pythonImportsCheck"])
    environment = os.environ | {"PYTHONPATH": str(site)}
    subprocess.run([sys.executable, "-c", imports], env=environment, check=True)
    if not request["doCheck"]:
        return
    tools = Path.cwd() / "check-inputs"
    install(wheels.closure(request["checkInputs"]), tools)
    source = Path.cwd() / "source"
    subprocess.run(["cp", "-r", request["src"], source], check=True)
    subprocess.run(["chmod", "-R", "u+w", source], check=True)
    marks = " and ".join(f"not ({mark})" for mark in request["markers"])
    arguments = [*request["pytestFlags"], *request["enabledTestPaths"]]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", marks, *arguments],
        cwd=source,
        env=environment | {"PYTHONPATH": f"{site}:{tools}"},
        check=True,
    )


def main() -> None:
    request = json.loads(sys.argv[1])
    out = Path(sys.argv[2])
    wheels = Wheels(Path(request["wheels"]))
    ours = build(request, wheels)
    extras = request["extras"] or [""]
    wheels.check(requirements(metadata(ours), extras), request["dependencies"])

    site = out / "lib/python/site-packages"
    install([ours, *wheels.closure(request["dependencies"])], site)
    (site / "standin_libraries.py").write_text(
        PRELOAD.format(names=LIBRARIES, directories=request["libraries"])
    )
    (site / "sitecustomize.py").write_text("import standin_libraries\n")
    write_scripts(ours, site, request["python"], out / "bin")
    run_checks(request, wheels, site)


main()

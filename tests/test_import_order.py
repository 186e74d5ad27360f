"""Imports go one way, and only the modules that assemble the program read the settings."""

import ast
from pathlib import Path

import nixery

PACKAGE = Path(nixery.__file__).parent

# From the top of the program to its basics; a package imports only those below it. Packages on one
# line do not import each other. docs/architecture.md draws the same.
FLOORS = [
    ["__main__"],
    ["cli"],
    ["service"],
    ["parts"],
    ["backends"],
    ["http", "settings", "verify", "popcount"],
    ["wire"],
    ["builder_front", "standalone"],
    ["builder", "gc"],
    ["planning"],
    ["learning"],
    ["tables"],
    ["last_pulled", "assembler"],
    ["nix", "layers", "archive", "cache", "lease"],
    ["manifest", "verified_blobs"],
    ["image_name", "source", "closure", "storage"],
    ["package_config"],
    ["records"],
    ["oci", "expressions", "confinement", "concurrency"],
    ["host"],
    ["logs", "human_units"],
    ["errors"],
    ["__init__"],
]
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
READ_SETTINGS = {"cli", "service", "parts", "backends"}


def room(file):
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(file):
    """The rooms of this package that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.ImportFrom(module="nixery", names=names, level=0):
                yield from (name.name if name.name in FLOOR else "__init__" for name in names)
            case ast.ImportFrom(module=str(module), level=0) if module.startswith("nixery."):
                yield module.split(".")[1]
            case ast.Import(names=names):
                yield from (n.name.split(".")[1] for n in names if n.name.startswith("nixery."))
            case ast.ImportFrom(level=level) if level:
                raise AssertionError(f"{file}: relative import")


EDGES = {
    (room(file), other)
    for file in PACKAGE.rglob("*.py")
    for other in imported_rooms(file)
    if other != room(file)
}


def test_every_room_has_its_floor():
    assert {room(file) for file in PACKAGE.rglob("*.py")} == set(FLOOR)


def test_imports_go_one_way():
    upwards = sorted(edge for edge in EDGES if FLOOR[edge[0]] >= FLOOR[edge[1]])
    assert not upwards


def test_the_check_sees_imports():
    """The table would hold for an empty list as well."""
    assert {("builder", "manifest"), ("manifest", "oci"), ("cli", "settings")} <= EDGES


def test_only_the_assembling_modules_read_settings():
    assert {importer for importer, other in EDGES if other == "settings"} <= READ_SETTINGS
    readers = {room(file) for file in PACKAGE.rglob("*.py") if "os.environ" in file.read_text()}
    assert readers <= READ_SETTINGS | {"expressions", "popcount"}


def test_no_two_files_of_tests_share_a_name():
    """Pytest would refuse to collect the second."""
    names = [file.name for file in Path(__file__).parent.rglob("test_*.py")]
    assert len(names) == len(set(names))

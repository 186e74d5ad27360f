# The files that the package is made of and checked with: whatever else changes, nothing is built again.
# cleanSourceWith, because lib.fileset does not work on Nix 2.8.
{ lib }:
let
  root = ../.;
  files = [
    "CHANGELOG.md"
    "LICENSE"
    "README.md"
    "pyproject.toml"
  ];
  # The tests that need neither Nix nor a network nor the rest of the project.
  folders = [
    "nixery"
    "tests/archive"
    "tests/cache"
    "tests/fake_gcs"
    "tests/faulty_http"
    "tests/gc"
    "tests/http"
    "tests/layers"
    "tests/nix"
    "tests/tiny"
  ];
  elsewhere = [
    "tests/test_docs.py"
    "tests/test_service.py"
  ];

  isWanted =
    path: type:
    lib.elem path files
    || lib.any (folder: path == folder || lib.hasPrefix "${folder}/" path) folders
    || path == "tests"
    || (builtins.match "tests/[^/]+\\.py" path != null && !lib.elem path elsewhere);
in
lib.cleanSourceWith {
  name = "nixery-source";
  src = root;
  filter =
    path: type:
    let
      relative = lib.removePrefix "${toString root}/" (toString path);
    in
    baseNameOf path != "__pycache__" && isWanted relative type;
}

# The files of the package and its checks: changes of other files do not rebuild it. cleanSourceWith,
# because lib.fileset does not work on Nix 2.8.
{ lib }:
let
  root = ../.;
  files = [
    "CHANGELOG.md"
    "LICENSE"
    "README.md"
    "pyproject.toml"
  ];
  # The tests of the package itself. Those that need more than Python are marked.
  folders = [
    "nixery"
    "tests/archive"
    "tests/cache"
    "tests/concurrency"
    "tests/gc"
    "tests/host"
    "tests/http"
    "tests/layers"
    "tests/learning"
    "tests/logs"
    "tests/nix"
    "tests/source"
    "tests/standalone"
    "tests/support"
    "tests/tables"
    "tests/tiny"
    "tests/wire"
  ];

  isWanted =
    path:
    lib.elem path files
    || lib.any (folder: path == folder || lib.hasPrefix "${folder}/" path) folders
    || path == "tests"
    || builtins.match "tests/[^/]+\\.py" path != null;
in
lib.cleanSourceWith {
  name = "nixery-source";
  src = root;
  filter =
    path: _:
    let
      relative = lib.removePrefix "${toString root}/" (toString path);
    in
    baseNameOf path != "__pycache__" && isWanted relative;
}

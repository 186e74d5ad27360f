# The files of the package and its checks: changes of other files do not rebuild it. cleanSourceWith,
# because lib.fileset does not work on Nix 2.8.
{ lib }:
let
  root = ../.;
  files = import ./package-tests.nix ++ [
    "CHANGELOG.md"
    "LICENSE"
    "README.md"
    "pyproject.toml"
  ];
  folders = [
    "nixery"
    "tests/support"
    "tests/tiny"
  ];

  isWanted =
    path:
    lib.elem path files
    || lib.any (folder: path == folder || lib.hasPrefix "${folder}/" path) folders
    || lib.any (lib.hasPrefix "${path}/") files
    || builtins.match "(.*/)?conftest\\.py" path != null;
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

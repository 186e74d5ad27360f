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
    "tests/source"
    "tests/standalone"
    "tests/tiny"
  ];
  # These need documents, /bin/sh, git, ssh, or a machine that is not busy.
  elsewhere = map (name: "tests/${name}.py") [
    "http/test_zerocopy"
    "source/test_source_allowed"
    "source/test_source_channel"
    "source/test_source_command"
    "source/test_source_git"
    "source/test_source_https"
    "source/test_source_mirror"
    "source/test_source_path"
    "source/test_source_sha256"
    "source/test_source_ssh"
    "source/test_source_trees"
    "test_docs"
    "test_expressions"
    "test_kubernetes"
    "test_service"
  ];

  isWanted =
    path:
    !lib.elem path elsewhere
    && (
      lib.elem path files
      || lib.any (folder: path == folder || lib.hasPrefix "${folder}/" path) folders
      || path == "tests"
      || builtins.match "tests/[^/]+\\.py" path != null
    );
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

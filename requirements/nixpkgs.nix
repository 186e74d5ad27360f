# The Python packages that the derivation has in a nixpkgs: those of the server and of its checks, and their
# dependencies. scripts/lock --nixpkgs makes a lock of the result:
#
#   { python = "3.13.13"; packages = { anyio = "4.13.0"; … }; }
{ nixpkgs }:
let
  pkgs = import nixpkgs {
    system = "x86_64-linux";
    config = { };
    overlays = [ ];
  };
  inherit (pkgs) lib python3 python3Packages;

  package = (import ../. { inherit pkgs; }).nixery;

  # Not hooks.
  isLocked = input: input ? pythonModule;
  inputs = package.propagatedBuildInputs ++ package.nativeBuildInputs ++ [ python3Packages.pytest ];
in
{
  python = python3.version;
  packages = lib.listToAttrs (
    map ({ pname, version, ... }: lib.nameValuePair pname version) (
      lib.filter isLocked (python3Packages.requiredPythonModules inputs)
    )
  );
}

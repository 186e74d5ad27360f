# The Nix packages of this project:
#
#   nix-build -A nixery-bin && ./result/bin/nixery serve
#
#   nixery                  only the Python package; Nix and git must be on PATH
#   nixery-prepare-image    the builder's command
#   nixery-bin              the server with everything it needs
#   nixery-image            the server as a container image, with Nix inside
#   nixery-popcount         analyses a package set, for better layers
{
  pkgs ? import <nixpkgs> { },
  # Of nixery-image: shell commands to run in the container before the server, packages to have there,
  # and into how many layers it is split.
  preLaunch ? "",
  extraPackages ? [ ],
  maxLayers ? 20,
}:
let
  callPackage = pkgs.lib.callPackageWith (pkgs // packages);

  packages = {
    nixery = callPackage ./nix/package.nix {
      deflate = pkgs.python3Packages.callPackage ./nix/deflate.nix { };
    };
    nixery-prepare-image = callPackage ./nix/prepare-image.nix { };
    nixery-bin = callPackage ./nix/bin.nix { };
    nixery-image = callPackage ./nix/image.nix { inherit preLaunch extraPackages maxLayers; };
    nixery-popcount = callPackage ./nix/popcount.nix { };
  };
in
packages

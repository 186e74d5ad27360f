# What this project offers to Nix, for the packages of a nixpkgs:
#
#   nix-build -A nixery-bin && ./result/bin/nixery serve
#
#   nixery                  the Python package alone; Nix and git must be on PATH
#   nixery-prepare-image    the builder's command, which asks Nix
#   nixery-bin              the server with all that it needs
#   nixery-image            the server as a container image, with a Nix of its own
#   nixery-popcount         counts a package set, for layers that are shared well
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

# The configuration of a system with these modules; fails where NixOS would refuse it.
{ lib, pkgs }:
modules:
let
  inherit
    (lib.evalModules {
      specialArgs = { inherit pkgs; };
      modules = [
        ./module/nixos.nix
        { nix.package = lib.mkDefault pkgs.nix; }
      ]
      ++ modules;
    })
    config
    ;
  failed = lib.filter (assertion: !assertion.assertion) config.assertions;
in
if failed == [ ] then
  config
else
  throw (lib.concatMapStringsSep "\n" (assertion: assertion.message) failed)

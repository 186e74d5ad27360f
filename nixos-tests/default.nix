# Tests of services.nixery in virtual machines:
#
#   nix-build nixos-tests -A registry
#
# Each test is a Nix file with the machines and a Python file with the checks. tests/systemd runs the same
# Python files without NixOS, on a booted Debian with the same units.
{
  pkgs ? import <nixpkgs> { },
}:
let
  # The tests' own package set: needs no network, and fails in every way.
  set = pkgs.runCommand "nixery-tiny-set" { } ''
    mkdir -p $out/boot
    cp ${../tests/tiny}/*.nix $out
    cp ${pkgs.pkgsStatic.busybox}/bin/busybox $out/boot/busybox
  '';

  run = file: pkgs.testers.runNixOSTest (import file { inherit set; });
in
{
  registry = run ./registry.nix;
  gcs = run ./gcs.nix;
  hardening = run ./hardening.nix;
}

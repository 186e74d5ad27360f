# Tests of services.nixery in virtual machines:
#
#   nix-build nixos-tests -A registry
#
# Each test is a Nix file with the machines and a Python file with what is shown. tests/systemd runs
# the same Python files where there is no NixOS, on a booted Debian that has the same units.
{
  pkgs ? import <nixpkgs> { },
}:
let
  # The tests' own package set: it needs no network, and has every way of failing.
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

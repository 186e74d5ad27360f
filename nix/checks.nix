# What `nix flake check` builds: the package with its tests, the unit of a NixOS system that has the
# service, and the tests in virtual machines.
{
  pkgs,
  packages,
  module,
  nixosSystem,
}:
let
  system = nixosSystem {
    modules = [
      module
      {
        nixpkgs.hostPlatform = pkgs.stdenv.hostPlatform.system;
        # The least that NixOS takes for a system.
        boot.isContainer = true;
        system.stateVersion = "26.05";

        services.nixery = {
          enable = true;
          package = packages.nixery-bin;
          source.channel = "nixos-unstable";
        };
      }
    ];
  };
  virtualMachines = import ../nixos-tests { inherit pkgs; };
in
{
  inherit (packages) nixery nixery-bin;
  module = system.config.systemd.units."nixery.service".unit;
  vm-registry = virtualMachines.registry;
  vm-gcs = virtualMachines.gcs;
  vm-hardening = virtualMachines.hardening;
}

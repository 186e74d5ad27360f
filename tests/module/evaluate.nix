# What a configuration comes to, as plain data:
#
#   nix-instantiate --eval --strict --json tests/module/evaluate.nix --arg modules '[ ./some.nix ]'
#
# `lib`: nixpkgs' own, or the one beside this file. `installed`: where the packages of the
# evaluation "are": a directory with bin/, so that the units run on a machine that has them there.
{
  lib ? import ./lib,
  modules ? [ ],
  installed ? { },
}:
let
  package = name: {
    type = "derivation";
    inherit name;
    outPath = installed.${name} or "/usr";
    meta.mainProgram = name;
  };
  pkgs =
    lib.genAttrs [
      "busybox"
      "coreutils"
      "fake-gcs-server"
      "findutils"
      "git"
      "gnugrep"
      "gnused"
      "nix"
      "nixery"
      "openssh"
      "podman"
      "systemd"
    ] package
    // {
      writeShellScript = name: _: "/usr/bin/${name}";
    };

  evaluated = lib.evalModules {
    specialArgs = { inherit pkgs; };
    modules = [
      ./nixos.nix
      ../../module.nix
      {
        nix.package = lib.mkDefault pkgs.nix;
        services.nixery.package = lib.mkDefault pkgs.nixery;
      }
    ]
    ++ modules;
  };
  inherit (evaluated) config;

  # NixOS refuses a system with these messages.
  failed = map (assertion: assertion.message) (
    lib.filter (assertion: !assertion.assertion) config.assertions
  );
in
{
  inherit failed;
  inherit (config) warnings;
  inherit (config.users) groups users;
  inherit (config.environment) etc;
  nginx = {
    inherit (config.services.nginx) enable upstreams virtualHosts;
  };
  nix = config.nix.settings;
  ports = config.networking.firewall.allowedTCPPorts;
  tmpfiles = config.systemd.tmpfiles.settings;
  environment = lib.mapAttrs (_: service: service.environment) config.systemd.services;
  # Services of others, of which the module says something.
  supplementaryGroups = lib.mapAttrs (
    _: service: service.serviceConfig.SupplementaryGroups or [ ]
  ) config.systemd.services;
  units = import ./units.nix { inherit lib pkgs; } (lib.filterAttrs (
    _: service: service.serviceConfig ? ExecStart
  ) config.systemd.services) config.systemd.timers;
}

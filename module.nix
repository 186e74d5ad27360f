# services.nixery: the registry as a NixOS service.
#
#   options/          options; docs/nixos-options.md is generated from them
#   variables.nix     table of options and environment variables
#   secrets.nix       files that reach the service as systemd credentials
#   hardening.nix     restrictions of the service
#   service.nix       nixery.service
#   upkeep.nix        timers for `nixery gc` and `nixery verify`
#   nginx.nix         the virtual host in front
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.nixery;
in
{
  imports = [
    ./module/options/general.nix
    ./module/options/source.nix
    ./module/options/evaluation.nix
    ./module/options/storage.nix
    ./module/options/images.nix
    ./module/assertions.nix
    ./module/service.nix
    ./module/upkeep.nix
    ./module/nginx.nix
  ];

  config = lib.mkIf cfg.enable {
    # Not DynamicUser: Nix looks up the names of allowed users, and a dynamic user has none.
    # https://github.com/NixOS/nix/issues/9071
    users.users.nixery = {
      isSystemUser = true;
      group = "nixery";
      description = "Nixery, the registry that builds images on demand";
      home = "/var/cache/nixery";
    };
    users.groups.nixery = { };

    # Allowed to build, but not trusted: a trusted user is equivalent to root.
    nix.settings.extra-allowed-users = [ "nixery" ];

    networking.firewall.allowedTCPPorts = lib.optional cfg.openFirewall cfg.port;
  };
}

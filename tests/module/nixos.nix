# The options of NixOS that the module and the nodes of nixos-tests/ set or read. Types are as loose
# as they can be: NixOS itself checks them.
{ lib, ... }:
let
  inherit (lib) mkOption types;

  anything =
    default:
    mkOption {
      type = types.anything;
      inherit default;
    };
  named =
    default:
    mkOption {
      type = types.attrsOf types.anything;
      inherit default;
    };
  strings = mkOption {
    type = types.listOf types.str;
    default = [ ];
  };
  text = mkOption {
    type = types.str;
    default = "";
  };

  unit = {
    description = text;
    wantedBy = strings;
    requires = strings;
    wants = strings;
    after = strings;
    before = strings;
    unitConfig = named { };
  };
in
{
  options = {
    assertions = mkOption {
      type = types.listOf types.anything;
      default = [ ];
    };
    warnings = strings;

    nix = {
      enable = mkOption {
        type = types.bool;
        default = true;
      };
      package = mkOption { type = types.package; };
      buildMachines = anything [ ];
      distributedBuilds = anything false;
      gc = named { };
      settings = named { };
    };
    users.users = named { };
    users.groups = named { };

    networking.firewall.allowedTCPPorts = mkOption {
      type = types.listOf types.port;
      default = [ ];
    };
    networking.proxy.envVars = named { };

    services.nginx = {
      enable = anything false;
      defaultHTTPListenPort = anything 80;
      user = mkOption {
        type = types.str;
        default = "nginx";
      };
      upstreams = named { };
      virtualHosts = named { };
    };

    systemd.tmpfiles.settings = named { };
    systemd.services = mkOption {
      default = { };
      type = types.attrsOf (
        types.submodule {
          options = unit // {
            path = mkOption {
              type = types.listOf types.anything;
              default = [ ];
            };
            environment = named { };
            serviceConfig = named { };
          };
        }
      );
    };
    systemd.timers = mkOption {
      default = { };
      type = types.attrsOf (
        types.submodule {
          options = unit // {
            timerConfig = named { };
          };
        }
      );
    };

    # Of the examples in docs/nixos.md only.
    security.acme = named { };

    # Of the machines of VM tests only.
    environment.systemPackages = anything [ ];
    environment.etc = named { };
    networking.hosts = named { };
    networking.extraHosts = text;
    system.stateVersion = text;
    virtualisation = named { };
  };
}

# The service: addresses, time limits, logging, environment.
{
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
in
{
  options.services.nixery = {
    enable = lib.mkEnableOption "Nixery, a container registry that builds images on demand";

    package = mkOption {
      type = types.package;
      # Not `pkgs.nixery`, which exists only if the overlay is applied.
      default = (import ../../default.nix { inherit pkgs; }).nixery-bin;
      defaultText = lib.literalExpression "(import ./default.nix { inherit pkgs; }).nixery-bin";
      example = lib.literalExpression "inputs.nixery.packages.\${pkgs.stdenv.hostPlatform.system}.default";
      description = ''
        The package to run, with the commands `nixery` and `nixery-prepare-image`.
      '';
    };

    listenAddress = mkOption {
      type = types.str;
      default = "127.0.0.1";
      example = "0.0.0.0";
      description = ''
        The address to listen on; an empty string means all addresses. Everybody who can reach it
        chooses what this machine builds.
      '';
    };

    port = mkOption {
      type = types.port;
      default = 8080;
      example = 80;
      description = ''
        The TCP port to listen on. With a port below 1024, the service has no user namespace of its
        own.
      '';
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether to open the port in the firewall.";
    };

    timeout = mkOption {
      type = types.ints.positive;
      default = 60;
      example = 600;
      description = "Seconds for each builder of Nix.";
    };

    requestTimeout = mkOption {
      type = types.ints.positive;
      default = 280;
      example = 900;
      description = ''
        Seconds for an image in total: evaluation, downloads, builds and packing. containerd gives
        up after 300.
      '';
    };

    errorStatus = mkOption {
      type = types.enum [
        "friendly"
        "strict"
      ];
      default = "friendly";
      example = "strict";
      description = ''
        The HTTP status of failures. `friendly`: an error that a person must read is a 4xx, because
        clients hide the message of a 5xx. `strict`: failed evaluations and builds are 502, timeouts
        504.
      '';
    };

    logLevel = mkOption {
      type = types.enum [
        "debug"
        "info"
        "warning"
        "error"
      ];
      default = "info";
      example = "debug";
      description = ''
        The lowest level that is logged. `info` has a line for each request and the beginning and end
        of each build's log; `debug` has the complete logs.
      '';
    };

    environment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        HTTPS_PROXY = "http://proxy.example.org:3128";
      };
      description = ''
        Further environment variables of the service. Everybody can read them in the Nix store, so
        secrets belong in `environmentFile`. Variables that have an option of their own are refused
        here.
      '';
    };

    environmentFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/nixery.env";
      description = ''
        A file with lines `NAME=value` that are added to the environment, for secrets. systemd reads
        it as root. It must not be in the Nix store.
      '';
    };
  };
}

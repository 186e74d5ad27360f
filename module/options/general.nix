# The service itself: where it listens, how long it works, what else it is told.
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
      # Not `pkgs.nixery`: that exists only where somebody has applied our overlay.
      default = (import ../../default.nix { inherit pkgs; }).nixery-bin;
      defaultText = lib.literalExpression "(import ./default.nix { inherit pkgs; }).nixery-bin";
      example = lib.literalExpression "inputs.nixery.packages.\${pkgs.stdenv.hostPlatform.system}.default";
      description = ''
        The package to run. It brings the commands `nixery` and `nixery-prepare-image`.
      '';
    };

    listenAddress = mkOption {
      type = types.str;
      default = "127.0.0.1";
      example = "0.0.0.0";
      description = ''
        The address to listen on; an empty string means all addresses. Whoever can reach it chooses
        what this machine builds.
      '';
    };

    port = mkOption {
      type = types.port;
      default = 8080;
      example = 80;
      description = ''
        The TCP port to listen on. A port below 1024 costs the service its own user namespace.
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
      description = "Seconds that each builder of Nix may take.";
    };

    requestTimeout = mkOption {
      type = types.ints.positive;
      default = 280;
      example = 900;
      description = ''
        Seconds that an image may take in all: evaluation, downloads, builds and packing. containerd
        gives up at 300.
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
        The HTTP status of what failed. `friendly`: what a person must read is a 4xx, because
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
        of each build's log; `debug` has the logs whole.
      '';
    };

    environment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        HTTPS_PROXY = "http://proxy.example.org:3128";
      };
      description = ''
        Further environment variables of the service. They can be read by everybody in the Nix
        store: secrets belong into `environmentFile`. A variable that an option stands for is
        refused here.
      '';
    };

    environmentFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/nixery.env";
      description = ''
        A file with lines `NAME=value` that are added to the environment, for secrets. systemd reads
        it as root. It must not lie in the Nix store.
      '';
    };
  };
}

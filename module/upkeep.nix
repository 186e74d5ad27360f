# Timers of gc and verify. Both commands may run at the same time as servers.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.nixery;
  common = import ./common.nix { inherit config lib pkgs; };
  secrets = import ./secrets.nix { inherit cfg lib; };
  nixery = lib.getExe' cfg.package "nixery";

  dates =
    default:
    mkOption {
      type = types.str;
      inherit default;
      example = "Sun 03:00";
      description = "When it runs, in the format of {manpage}`systemd.time(7)`.";
    };

  service = description: command: {
    inherit description;
    inherit (common) environment path unitConfig;
    wants = [ "network-online.target" ];
    after = [ "network-online.target" ];
    serviceConfig =
      common.serviceConfig
      // common.loadCredentials secrets.storage
      // {
        Type = "oneshot";
        ExecStart = command;
        # Pulls have priority.
        Nice = 10;
        IOSchedulingClass = "idle";
      };
  };

  timer = dates: {
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnCalendar = dates;
      # Runs at once after a missed time.
      Persistent = true;
      # Replicas that share a bucket should not start in the same second.
      RandomizedDelaySec = 1800;
    };
  };

  rule =
    if cfg.gc.keepBytes != null then
      "--keep-bytes ${toString cfg.gc.keepBytes}"
    else
      "--older-than ${toString cfg.gc.olderThan}";
in
{
  options.services.nixery = {
    gc = {
      enable = lib.mkEnableOption "the regular removal of images that nobody pulls any more";

      dates = dates "daily";

      keepBytes = mkOption {
        type = types.nullOr (types.strMatching "[0-9.]+([KMGTP](iB|B)?)?");
        default = null;
        example = "50G";
        description = ''
          Removes the least recently pulled images until this size is left. Set exactly one of
          `keepBytes` and `olderThan` must be set.
        '';
      };

      olderThan = mkOption {
        type = types.nullOr (types.strMatching "[0-9.]+[smhdw]");
        default = null;
        example = "30d";
        description = "Removes images not pulled within this time.";
      };
    };

    verify = {
      enable = lib.mkEnableOption "the regular comparison of every blob with its name";

      dates = dates "monthly";
    };
  };

  config = lib.mkIf cfg.enable {
    systemd.services = {
      nixery-gc = lib.mkIf cfg.gc.enable (
        service "Removal of images that nobody pulls any more" "${nixery} gc ${rule}"
      );
      nixery-verify = lib.mkIf cfg.verify.enable (
        service "Comparison of every blob of the registry with its name" "${nixery} verify"
      );
    };

    systemd.timers = {
      nixery-gc = lib.mkIf cfg.gc.enable (timer cfg.gc.dates);
      nixery-verify = lib.mkIf cfg.verify.enable (timer cfg.verify.dates);
    };
  };
}

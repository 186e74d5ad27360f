# nixery.service
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.nixery;
  common = import ./common.nix { inherit config lib pkgs; };
  secrets = import ./secrets.nix { inherit cfg lib; };

  gitOverSsh = lib.concatStringsSep " " (
    [
      "ssh -o StrictHostKeyChecking=yes"
    ]
    ++ lib.optional (cfg.source.sshKeyFile != null) "-o IdentitiesOnly=yes -i %d/ssh-key"
    ++ lib.optional (cfg.source.knownHostsFile != null) "-o UserKnownHostsFile=%d/known-hosts"
  );
in
{
  config = lib.mkIf cfg.enable {
    systemd.services.nixery = {
      inherit (common) path;
      environment = {
        GIT_SSH_COMMAND = gitOverSsh;
      }
      // common.environment;
      description = "Nixery, a container registry that builds images on demand";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "nix-daemon.socket"
      ];

      unitConfig = common.unitConfig // {
        # After five failures within two minutes the unit stays failed, so that it is noticed.
        StartLimitIntervalSec = 120;
        StartLimitBurst = 5;
      };

      serviceConfig =
        common.serviceConfig
        // common.loadCredentials (secrets.source // secrets.storage // secrets.public)
        // {
          # Ready once storage, Nix and disk work. Until then the server serves cached images, and
          # after this time systemd restarts it.
          Type = "notify";
          NotifyAccess = "main";
          TimeoutStartSec = 180;
          # The server feeds it from its event loop, so a hanging server is restarted.
          WatchdogSec = 60;
          ExecStart = "${lib.getExe' cfg.package "nixery"} serve";
          RuntimeDirectory = "nixery";
          RuntimeDirectoryMode = "0700";

          Restart = "on-failure";
          RestartSec = 2;
          # Wrong configuration, which a restart does not fix.
          RestartPreventExitStatus = 2;

          # Transfers have 60 seconds to finish, then the server cancels builds and exits. Only the
          # server gets the signal; it ends its child processes.
          KillMode = "mixed";
          TimeoutStopSec = 90;
          # An evaluation that exceeds the memory must not stop the registry.
          OOMPolicy = "continue";
          LimitNOFILE = 65536;
        }
        // lib.optionalAttrs (cfg.source.netrcFile != null) {
          # curl, and so git, reads it from HOME.
          ExecStartPre = "${lib.getExe' pkgs.coreutils "ln"} -sf %d/netrc %C/nixery/.netrc";
        };
    };

    systemd.tmpfiles.settings = lib.optionalAttrs common.elsewhere {
      nixery.${common.literally common.storagePath}.d = {
        user = "nixery";
        group = "nixery";
        mode = if common.sharedWithNginx then "0750" else "0700";
      };
    };
  };
}

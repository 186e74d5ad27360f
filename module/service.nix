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
        # Five failures within two minutes are not chance: the unit stays down, and is seen to be.
        StartLimitIntervalSec = 120;
        StartLimitBurst = 5;
      };

      serviceConfig =
        common.serviceConfig
        // common.loadCredentials (secrets.source // secrets.storage // secrets.public)
        // {
          # Ready once storage, Nix and disk have answered. Where one does not, the server serves
          # what it has, and systemd starts it anew after this time.
          Type = "notify";
          NotifyAccess = "main";
          TimeoutStartSec = 180;
          # The server feeds it from its event loop: one that hangs is started anew.
          WatchdogSec = 60;
          ExecStart = "${lib.getExe' cfg.package "nixery"} serve";
          RuntimeDirectory = "nixery";
          RuntimeDirectoryMode = "0700";

          Restart = "on-failure";
          RestartSec = 2;
          # Wrong configuration, which another start would not mend.
          RestartPreventExitStatus = 2;

          # Transfers get 60 seconds to end, then builds are cancelled and the server ends. Only the
          # server is told; what it has started, it ends itself.
          KillMode = "mixed";
          TimeoutStopSec = 90;
          # An evaluation that takes all memory must not take the registry with it.
          OOMPolicy = "continue";
          LimitNOFILE = 65536;
        }
        // lib.optionalAttrs (cfg.source.netrcFile != null) {
          # curl, and so git, looks for it in HOME.
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

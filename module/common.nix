# What the units of the module share: user, directories, environment, hardening.
#
#   State    images, if the storage is a directory: the only data worth a backup
#   Cache    Nix's and git's own caches (HOME), mirrors of repositories: can be lost
#   Runtime  garbage collector roots of what is being packed: deleted with the unit
{
  config,
  lib,
  pkgs,
}:
let
  cfg = config.services.nixery;
  variables = import ./variables.nix { inherit cfg lib; };
  secrets = import ./secrets.nix { inherit cfg lib; };
  literally = import ./literally.nix { inherit lib; };
  place = secret: literally (toString secret.file);

  stateDirectory = "/var/lib/nixery";
  onDisk = cfg.storage.backend == "filesystem";
  storagePath = toString cfg.storage.path;
  elsewhere = onDisk && !(lib.hasPrefix "${stateDirectory}/" "${storagePath}/");

  # nginx reads blobs as a member of the group `nixery`.
  sharedWithNginx = onDisk && cfg.nginx.virtualHost != null;
in
{
  inherit
    elsewhere
    literally
    sharedWithNginx
    storagePath
    ;

  environment =
    lib.filterAttrs (_: value: value != null) (lib.mapAttrs (_: entry: entry.value) variables)
    // {
      HOME = "%C/nixery";
    }
    // lib.mapAttrs (_: literally) (config.networking.proxy.envVars // cfg.environment);

  # The machine's Nix first, because its daemon has that version.
  path = [
    config.nix.package
    cfg.package
    pkgs.git
    pkgs.openssh
  ];

  unitConfig = lib.optionalAttrs elsewhere { RequiresMountsFor = literally storagePath; };

  # The credentials that a unit needs.
  loadCredentials =
    credentials:
    lib.optionalAttrs (credentials != { }) {
      LoadCredential = lib.mapAttrsToList (name: secret: "${name}:${place secret}") credentials;
    };

  serviceConfig =
    import ./hardening.nix { lowPort = cfg.port < 1024; }
    // {
      User = "nixery";
      Group = "nixery";
      StateDirectory = "nixery";
      StateDirectoryMode = if sharedWithNginx then "0750" else "0700";
      CacheDirectory = "nixery";
      CacheDirectoryMode = "0700";
      UMask = if sharedWithNginx then "0027" else "0077";
    }
    // lib.optionalAttrs elsewhere { ReadWritePaths = [ (literally storagePath) ]; }
    // lib.optionalAttrs (secrets.environment != { }) {
      EnvironmentFile = map place (lib.attrValues secrets.environment);
    };
}

# Checks of the configuration when the system is built.
{ config, lib, ... }:
let
  cfg = config.services.nixery;
  variables = import ./variables.nix { inherit cfg lib; };
  secrets = import ./secrets.nix { inherit cfg lib; };
  name = option: "services.nixery.${option}";

  sources = lib.filterAttrs (_: value: value != null) {
    inherit (cfg.source)
      channel
      path
      repo
      ;
  };

  oneSource = {
    assertion = lib.length (lib.attrNames sources) == 1;
    message =
      "set exactly one of services.nixery.source.channel, source.repo and source.path;"
      + " set now: "
      + (if sources == { } then "none" else lib.concatStringsSep " and " (lib.attrNames sources));
  };

  bucket = backend: {
    assertion = cfg.storage.backend == backend -> cfg.storage.${backend}.bucket != null;
    message = "${name "storage.${backend}.bucket"} must be set: the backend needs a bucket";
  };

  s3Keys = {
    assertion = cfg.storage.s3.secretKeyFile == null || cfg.storage.s3.accessKey != null;
    message =
      "${name "storage.s3.secretKeyFile"} needs ${name "storage.s3.accessKey"},"
      + " which is not set";
  };

  levels = {
    gzip = 12;
    zstd = 19;
    none = 0;
  };

  level = {
    assertion =
      cfg.compression.level == null || cfg.compression.level <= levels.${cfg.compression.kind};
    message =
      "${name "compression.level"} is ${toString cfg.compression.level}, but the highest of"
      + " ${cfg.compression.kind} is ${toString levels.${cfg.compression.kind}}";
  };

  inStore = file: lib.hasPrefix "${builtins.storeDir}/" (toString file);

  notInStore = secret: {
    assertion = !inStore secret.file;
    message =
      "${name secret.option} is ${toString secret.file}, which everybody can read: the file must not"
      + " be in the Nix store. Write its path as a string, and create the file by other means";
  };

  # ProtectHome and PrivateTmp hide these from the service.
  visible = option: path: {
    assertion =
      !lib.any (hidden: lib.hasPrefix hidden "${path}/") [
        "/home/"
        "/root/"
        "/run/user/"
        "/tmp/"
        "/var/tmp/"
      ];
    message =
      "${name option} is ${path}, but the service cannot access /home, /root, /run/user, /tmp"
      + " and /var/tmp";
  };

  storagePath = lib.optional (cfg.storage.backend == "filesystem") (toString cfg.storage.path);

  places = {
    # A path literal is copied to the store: where it lies now does not matter.
    "source.path" = lib.optional (cfg.source.path != null) "${cfg.source.path}";
    "source.repo" = map (lib.removePrefix "file://") (
      lib.optional (cfg.source.repo != null) cfg.source.repo
    );
    "evaluation.allowedPaths" = map toString cfg.evaluation.allowedPaths;
    "evaluation.overlays" = map toString cfg.evaluation.overlays;
    "evaluation.nixPath" = map toString (lib.attrValues cfg.evaluation.nixPath);
    "storage.path" = storagePath;
  };

  oneWord = path: {
    assertion = builtins.match ".*[[:space:]].*" path == null;
    message =
      "${name "storage.path"} is '${path}', but systemd and nginx do not accept spaces in"
      + " paths";
  };

  notByHand = variable: {
    assertion = !(cfg.environment ? ${variable});
    message =
      "services.nixery.environment sets ${variable}; "
      + (
        if variables.${variable}.option == null then
          "the module sets it itself"
        else
          "set ${name variables.${variable}.option} instead"
      );
  };

  daemon = {
    assertion = config.nix.enable;
    message = "services.nixery builds with Nix: nix.enable must be true";
  };

  oneRule = {
    assertion = !cfg.gc.enable || (cfg.gc.keepBytes == null) != (cfg.gc.olderThan == null);
    message = "set exactly one of services.nixery.gc.keepBytes and gc.olderThan";
  };

  inherit (config.services) nginx;
  onlyHere = lib.hasPrefix "127." cfg.listenAddress || cfg.listenAddress == "::1";
in
{
  config = lib.mkIf cfg.enable {
    warnings =
      lib.optional (cfg.openFirewall && onlyHere) (
        "services.nixery.openFirewall opens port ${toString cfg.port}, but the service listens on"
        + " ${cfg.listenAddress}, which other machines cannot reach: set"
        + " services.nixery.listenAddress"
      )
      ++ lib.optional (cfg.nginx.virtualHost != null && cfg.port == nginx.defaultHTTPListenPort) (
        "services.nixery.port is ${toString cfg.port}, where nginx listens too: set another port, to"
        + " which nginx then forwards"
      );

    assertions = [
      oneSource
      (bucket "gcs")
      (bucket "s3")
      level
      s3Keys
      daemon
      oneRule
    ]
    ++ map notInStore (lib.attrValues (secrets.source // secrets.storage // secrets.environment))
    ++ lib.concatLists (lib.mapAttrsToList (option: map (visible option)) places)
    ++ map oneWord storagePath
    ++ map notByHand (lib.attrNames variables);
  };
}

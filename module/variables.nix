# Every variable of the server, with its option and its value:
#
#   { PORT = { option = "port"; value = "8080"; }; GCS_BUCKET = { …; value = null; }; … }
#
# null: not set, so the server uses its default. docs/configuration.md explains the variables.
{ cfg, lib }:
let
  literally = import ./literally.nix { inherit lib; };

  text = value: if value == null || value == "" then null else literally value;
  number = value: if value == null then null else toString value;
  switch = on: if on then "1" else "0";
  words = items: text (lib.concatStringsSep " " (map toString items));
  # %d is the directory of the unit's credentials.
  credential = name: file: if file == null then null else "%d/${name}";

  ofBackend = name: value: if cfg.storage.backend == name then value else null;

  by = option: value: { inherit option value; };
in
{
  PORT = by "port" (number cfg.port);
  NIXERY_LISTEN = by "listenAddress" (text cfg.listenAddress);

  NIXERY_CHANNEL = by "source.channel" (text cfg.source.channel);
  NIXERY_PKGS_REPO = by "source.repo" (text cfg.source.repo);
  # In quotes a path literal becomes a path in the store.
  NIXERY_PKGS_PATH = by "source.path" (lib.mapNullable (path: literally "${path}") cfg.source.path);
  NIXERY_CHANNEL_URL = by "source.channelUrl" (text cfg.source.channelUrl);
  NIXERY_GIT_ALLOWED_REFS = by "source.allowedRefs" (words cfg.source.allowedRefs);
  NIXERY_RESOLVE_TTL = by "source.resolveTtl" (number cfg.source.resolveTtl);
  NIXERY_SOURCE_TREES = by "source.trees" (number cfg.source.trees);
  NIXERY_TAGS = by "source.tags" (words cfg.source.tags);

  NIXERY_ALLOWED_PATHS = by "evaluation.allowedPaths" (words cfg.evaluation.allowedPaths);
  NIXERY_OVERLAYS = by "evaluation.overlays" (words (map (path: "${path}") cfg.evaluation.overlays));
  NIXERY_NIX_PATH = by "evaluation.nixPath" (
    words (lib.mapAttrsToList (name: path: "${name}=${path}") cfg.evaluation.nixPath)
  );
  NIXERY_ALLOWED_URIS = by "evaluation.allowedUris" (words cfg.evaluation.allowedUris);
  NIXERY_ALLOW_IFD = by "evaluation.allowImportFromDerivation" (
    switch cfg.evaluation.allowImportFromDerivation
  );
  NIXERY_CONFINE = by "evaluation.confine" (switch cfg.evaluation.confine);
  NIXERY_EVALUATION_MEMORY = by "evaluation.memory" (number cfg.evaluation.memory);
  NIXERY_EVALUATION_TIMEOUT = by "evaluation.timeout" (number cfg.evaluation.timeout);
  NIXERY_MAX_DOTS = by "evaluation.maxDots" (number cfg.evaluation.maxDots);
  NIXERY_NIXPKGS_CONFIG = by "evaluation.config" (text (builtins.toJSON cfg.evaluation.config));
  NIXPKGS_ALLOW_UNFREE = by "evaluation.config.allowUnfree" null;
  NIXPKGS_ALLOW_BROKEN = by "evaluation.config.allowBroken" null;
  NIXPKGS_ALLOW_INSECURE = by "evaluation.config.allowInsecure" null;
  NIXPKGS_ALLOW_UNSUPPORTED_SYSTEM = by "evaluation.config.allowUnsupportedSystem" null;

  NIX_TIMEOUT = by "timeout" (number cfg.timeout);
  NIXERY_REQUEST_TIMEOUT = by "requestTimeout" (number cfg.requestTimeout);

  NIXERY_STORAGE_BACKEND = by "storage.backend" cfg.storage.backend;
  NIXERY_STORAGE_MAX_BYTES = by "storage.maxBytes" (number cfg.storage.maxBytes);
  STORAGE_PATH = by "storage.path" (ofBackend "filesystem" (text (toString cfg.storage.path)));
  NIXERY_ACCEL_PREFIX = by "nginx.virtualHost" (
    if cfg.nginx.virtualHost == null then null else ofBackend "filesystem" "/internal/"
  );
  GCS_BUCKET = by "storage.gcs.bucket" (ofBackend "gcs" (text cfg.storage.gcs.bucket));
  GOOGLE_APPLICATION_CREDENTIALS = by "storage.gcs.credentialsFile" (
    credential "gcs-credentials" cfg.storage.gcs.credentialsFile
  );
  NIXERY_GCS_PUBLIC = by "storage.gcs.public" (ofBackend "gcs" (switch cfg.storage.gcs.public));
  STORAGE_EMULATOR_HOST = by "storage.gcs.emulator" (text cfg.storage.gcs.emulator);
  S3_BUCKET = by "storage.s3.bucket" (ofBackend "s3" (text cfg.storage.s3.bucket));
  S3_ENDPOINT = by "storage.s3.endpoint" (ofBackend "s3" (text cfg.storage.s3.endpoint));
  AWS_REGION = by "storage.s3.region" (ofBackend "s3" (text cfg.storage.s3.region));
  S3_ACCESS_KEY = by "storage.s3.accessKey" (ofBackend "s3" (text cfg.storage.s3.accessKey));
  S3_SECRET_KEY = by "storage.s3.secretKeyFile" null;
  S3_PATH_STYLE = by "storage.s3.pathStyle" (
    ofBackend "s3" (lib.mapNullable switch cfg.storage.s3.pathStyle)
  );
  S3_LINK_EXPIRATION = by "storage.s3.linkExpiration" (
    ofBackend "s3" (number cfg.storage.s3.linkExpiration)
  );

  NIXERY_MAX_BUILDS = by "maxBuilds" (number cfg.maxBuilds);
  NIXERY_QUEUE = by "queue" (number cfg.queue);
  NIXERY_PACK_WORKERS = by "packWorkers" (number cfg.packWorkers);
  NIXERY_LAYERING = by "layering.strategy" cfg.layering.strategy;
  NIXERY_LAYER_BUDGET = by "layering.budget" (number cfg.layering.budget);
  NIX_POPULARITY_URL = by "popularityUrl" (text cfg.popularityUrl);
  NIXERY_COMPRESSION = by "compression.kind" cfg.compression.kind;
  NIXERY_COMPRESSION_LEVEL = by "compression.level" (number cfg.compression.level);

  NIXERY_ERROR_STATUS = by "errorStatus" cfg.errorStatus;
  NIXERY_LOG_LEVEL = by "logLevel" cfg.logLevel;

  # Set by the module; they have no option.
  NIXERY_STATE_DIR = by null "%C/nixery/state";
  NIX_REMOTE = by null "daemon";
  # systemd says it, in RUNTIME_DIRECTORY.
  NIXERY_ROOTS_DIR = by null null;
}

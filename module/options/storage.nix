# Where images are kept.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  text =
    default: example: description:
    mkOption {
      type = types.nullOr types.str;
      inherit default example description;
    };
in
{
  options.services.nixery.storage = {
    backend = mkOption {
      type = types.enum [
        "filesystem"
        "gcs"
        "s3"
      ];
      default = "filesystem";
      example = "gcs";
      description = ''
        A directory, a bucket of Google Cloud Storage, or a bucket of S3 or of what speaks its
        protocol.
      '';
    };

    path = mkOption {
      type = types.path;
      default = "/var/lib/nixery";
      example = "/srv/images";
      description = ''
        The directory of the `filesystem` backend. It is made if it is missing, and belongs to the
        user `nixery`.
      '';
    };

    maxBytes = mkOption {
      type = types.either types.ints.unsigned types.str;
      default = 0;
      example = "50G";
      description = ''
        The server makes room when the storage holds more than this, in bytes or with a unit. `0`
        never does.
      '';
    };

    gcs = {
      bucket = text null "example-nixery" "The name of the bucket.";

      credentialsFile = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = "/run/secrets/nixery-gcs.json";
        description = ''
          A service account's key file, or another credentials file of Google's. Without it, what
          the machine gives. It must not lie in the Nix store.
        '';
      };

      public = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = ''
          Whether everybody may read the bucket: clients are sent to its public address.
        '';
      };

      emulator = text null "http://localhost:4443" ''
        The address of a server that takes the place of Google's, for tests.
      '';
    };

    s3 = {
      bucket = text null "example-nixery" "The name of the bucket.";

      endpoint = text null "https://minio.example.org" ''
        The address of an S3 service that is not AWS's.
      '';

      region = mkOption {
        type = types.str;
        default = "us-east-1";
        example = "eu-central-1";
        description = "The bucket's region.";
      };

      accessKey = text null "AKIAIOSFODNN7EXAMPLE" ''
        The access key, which is no secret. The key that belongs to it comes from `secretKeyFile`.
        Without both, what AWS's programs find.
      '';

      secretKeyFile = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = "/run/secrets/nixery-s3.env";
        description = ''
          A file with the line `S3_SECRET_KEY=…`, which is read like `environmentFile`. It must not
          lie in the Nix store.
        '';
      };

      pathStyle = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = ''
          Whether addresses are `endpoint/bucket/key` instead of `bucket.endpoint/key`. Most
          services that are not AWS's want it.
        '';
      };

      linkExpiration = mkOption {
        type = types.ints.between 0 604800;
        default = 300;
        example = 0;
        description = ''
          Seconds that clients may use the signed address of a blob; `0`: blobs go through this
          server.
        '';
      };
    };
  };
}

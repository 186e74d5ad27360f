# The storage of images.
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
        A directory, a bucket of Google Cloud Storage, or a bucket of S3 or a compatible service.
      '';
    };

    path = mkOption {
      type = types.path;
      default = "/var/lib/nixery";
      example = "/srv/images";
      description = ''
        The directory of the `filesystem` backend. It is created if it is missing, and owned by
        the user `nixery`.
      '';
    };

    maxBytes = mkOption {
      type = types.either types.ints.unsigned types.str;
      default = 0;
      example = "50G";
      description = ''
        Size above which the server removes the least recently pulled images, in bytes or with a
        unit. `0` removes nothing.
      '';
    };

    gcs = {
      bucket = text null "example-nixery" "The name of the bucket.";

      credentialsFile = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = "/run/secrets/nixery-gcs.json";
        description = ''
          A service account's key file, or another credentials file of Google. The default is the
          machine's credentials. It must not be in the Nix store.
        '';
      };

      public = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = ''
          Whether everybody may read the bucket: clients are redirected to its public URL.
        '';
      };

      emulator = text null "http://localhost:4443" ''
        The URL of an emulator, for tests.
      '';
    };

    s3 = {
      bucket = text null "example-nixery" "The name of the bucket.";

      endpoint = text null "https://minio.example.org" ''
        The URL of an S3 service other than AWS.
      '';

      region = mkOption {
        type = types.str;
        default = "us-east-1";
        example = "eu-central-1";
        description = "The bucket's region.";
      };

      accessKey = text null "AKIAIOSFODNN7EXAMPLE" ''
        The access key, which is not secret; `secretKeyFile` has the secret key. The default is
        what AWS's programs find.
      '';

      secretKeyFile = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = "/run/secrets/nixery-s3.env";
        description = ''
          A file with the line `S3_SECRET_KEY=…`, read like `environmentFile`. It must not be in
          the Nix store.
        '';
      };

      pathStyle = mkOption {
        type = types.nullOr types.bool;
        default = null;
        example = true;
        description = ''
          Whether URLs are `endpoint/bucket/key` instead of `bucket.endpoint/key`. By default they
          are if `endpoint` is set, because most services other than AWS need it.
        '';
      };

      linkExpiration = mkOption {
        type = types.ints.between 0 604800;
        default = 300;
        example = 0;
        description = ''
          Seconds that the signed URL of a blob is valid; `0`: blobs are streamed through this
          server.
        '';
      };
    };
  };
}

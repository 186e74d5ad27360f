# Files with secrets: the options that name them, and how the service gets them.
#
#   source, storage   systemd copies them, as root, to a directory of the service (%d/NAME)
#   environment       systemd reads them, as root, as lines NAME=value
#   public            passed in the same way, but may be in the Nix store
{ cfg, lib }:
let
  given = lib.filterAttrs (_: secret: secret.file != null);
in
{
  source = given {
    ssh-key = {
      option = "source.sshKeyFile";
      file = cfg.source.sshKeyFile;
    };
    netrc = {
      option = "source.netrcFile";
      file = cfg.source.netrcFile;
    };
  };

  storage = given {
    gcs-credentials = {
      option = "storage.gcs.credentialsFile";
      file = cfg.storage.gcs.credentialsFile;
    };
  };

  environment = given {
    all = {
      option = "environmentFile";
      file = cfg.environmentFile;
    };
    s3 = {
      option = "storage.s3.secretKeyFile";
      file = cfg.storage.s3.secretKeyFile;
    };
  };

  public = given {
    known-hosts = {
      option = "source.knownHostsFile";
      # A path literal is copied to the store, and kept by the system.
      file = lib.mapNullable (file: "${file}") cfg.source.knownHostsFile;
    };
  };
}

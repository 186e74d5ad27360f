# The registry as a container image with Nix inside:
#
#   docker load < $(nix-build -A nixery-image)
#   docker run -e NIXERY_CHANNEL=nixos-unstable -e NIXERY_STORAGE_BACKEND=filesystem \
#     -e STORAGE_PATH=/var/lib/nixery/storage -v nixery:/var/lib/nixery -p 8080:8080 nixery
#
# Settings are the environment variables of docs/configuration.md. The container's Nix has no sandbox,
# because most runtimes do not allow it. Builders are separate users instead, so the container must start
# as root (possibly in a user namespace).
{
  lib,
  bashInteractive,
  cacert,
  coreutils,
  dockerTools,
  git,
  gnused,
  gnutar,
  gzip,
  iana-etc,
  nix,
  nixery-bin,
  openssh,
  runCommand,
  writeShellScriptBin,
  preLaunch,
  extraPackages,
  maxLayers,
}:
let
  # As many concurrent builds as users.
  builders = map toString (lib.range 1 32);

  passwd = [
    "root:x:0:0:root:/root:/bin/bash"
    "nobody:x:65534:65534:nobody:/var/empty:/bin/false"
  ]
  ++ map (n: "nixbld${n}:x:${toString (30000 + lib.toInt n)}:30000::/var/empty:/bin/false") builders;

  group = [
    "root:x:0:"
    "nobody:x:65534:"
    "nixbld:x:30000:${lib.concatMapStringsSep "," (n: "nixbld${n}") builders}"
  ];

  nixConf = [
    "build-users-group = nixbld"
    "sandbox = false"
  ];

  lines = lib.concatStringsSep "\n";

  etc =
    runCommand "nixery-image-etc"
      {
        passwd = lines passwd;
        group = lines group;
        nixConf = lines nixConf;
        hosts = "hosts: files dns";
      }
      ''
        mkdir -p $out/etc/nix
        printf '%s\n' "$passwd" > $out/etc/passwd
        printf '%s\n' "$group" > $out/etc/group
        printf '%s\n' "$hosts" > $out/etc/nsswitch.conf
        printf '%s\n' "$nixConf" > $out/etc/nix/nix.conf
      '';

  launch = writeShellScriptBin "nixery-launch" ''
    set -e
    ${preLaunch}
    exec ${nixery-bin}/bin/nixery "$@"
  '';
in
dockerTools.buildLayeredImage {
  name = "nixery";
  tag = nixery-bin.version;
  inherit maxLayers;

  contents = [
    bashInteractive
    cacert
    coreutils
    etc
    git
    gnused
    gnutar
    gzip
    iana-etc
    launch
    nix
    nixery-bin
    openssh
  ]
  ++ extraPackages;

  # Registers the paths with Nix, which would otherwise build them again under the running server.
  includeNixDB = true;

  extraCommands = ''
    mkdir -p -m 1777 tmp var/tmp
    mkdir -p root var/empty var/lib/nixery
  '';

  config = {
    Entrypoint = [ "${launch}/bin/nixery-launch" ];
    Cmd = [ "serve" ];
    Env = [
      "HOME=/root"
      "USER=root"
      "PATH=/bin"
      "NIXERY_STATE_DIR=/var/lib/nixery/state"
      "NIX_SSL_CERT_FILE=/etc/ssl/certs/ca-bundle.crt"
      "SSL_CERT_FILE=/etc/ssl/certs/ca-bundle.crt"
    ];
    ExposedPorts."8080/tcp" = { };
  };
}

# Every way of failing.
{ build }:
let
  inherit (build) package run withMeta;
in
rec {
  # refused
  unfree = package {
    pname = "unfree";
    meta.unfree = true;
  };
  broken = package {
    pname = "broken";
    meta.broken = true;
  };
  insecure = package {
    pname = "insecure";
    meta.knownVulnerabilities = [ "CVE-0000-0000" ];
  };
  foreign = package {
    pname = "foreign";
    meta.platforms = [ "aarch64-darwin" ];
  };
  needs-unfree = package {
    pname = "needs-unfree";
    deps = [ unfree ];
  };

  # not to be evaluated; the last three end the evaluation of all names
  removed = throw "removed has been dropped since it was unmaintained";
  asserting =
    assert 1 == 2;
    { };
  aborts = abort "this attribute aborts";
  mistyped = "a" + 1;
  endless =
    let
      f = n: 1 + f (n + 1);
    in
    f 0;
  reads-outside = package {
    pname = "reads-outside";
    version = builtins.replaceStrings [ "\n" ] [ "" ] (builtins.readFile /etc/hostname);
  };
  from-derivation = package {
    pname = "from-derivation";
    version = import (run "version.nix" { } "echo '\"7.0\"' > $out");
  };
  from-failing = package {
    pname = "from-failing";
    version = import failing;
  };

  # not to be built
  failing = package {
    pname = "failing";
    script = "echo 'this package cannot be built' >&2; exit 3";
  };
  needs-failing = package {
    pname = "needs-failing";
    deps = [ failing ];
  };
  # What Nix would say of a full disk and so on, as an event and as a line.
  forging = package {
    pname = "forging";
    script =
      let
        forge = words: ''
          echo '@nix ${
            builtins.toJSON {
              action = "msg";
              level = 0;
              msg = "error: ${words}";
              raw_msg = words;
            }
          }' >&2
          echo 'error: ${words}' >&2
        '';
      in
      ''
        ${builtins.concatStringsSep "\n" (
          map forge [
            "writing to file: No space left on device"
            "Nix daemon disconnected unexpectedly"
            "timed out after 60 seconds"
            "path /nix/store/x.drv is not valid, missing derivation"
          ]
        )}
        exit 3
      '';
  };
  slow = package {
    pname = "slow";
    script = "echo sleeping; bb sleep 300";
  };
  no-output = withMeta (run "no-output" { } "echo nothing made") { };
  bad-hash = withMeta (run "bad-hash" {
    outputHash = "0000000000000000000000000000000000000000000000000000";
    outputHashAlgo = "sha256";
    outputHashMode = "flat";
  } "echo x > $out") { };
  not-served = withMeta (derivation {
    name = "not-served";
    builder = "builtin:fetchurl";
    system = "builtin";
    url = "http://127.0.0.1:1/not-served";
    outputHash = "0000000000000000000000000000000000000000000000000000";
    outputHashAlgo = "sha256";
    outputHashMode = "flat";
    preferLocalBuild = true;
  }) { };
}

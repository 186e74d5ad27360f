# A stand-in for nixpkgs, for tests on machines that cannot download it: packages that can be built
# there, and functions that take exactly the arguments that nixpkgs' functions take, so that a wrong
# argument in this project's Nix files fails. Users never need it: flake.nix takes the real nixpkgs.
#
# Beside it, tests/support/standin.py puts
#
#   set/     a package set out of Debian packages (see demo/)
#   wheels/  the locked Python packages
#   module/  tests/module: a `lib`, and the options of NixOS that our module knows
{
  system ? builtins.currentSystem,
  # Whether Python packages are built with their tests.
  doCheck ? false,
}:
let
  lib = import ./lib.nix;

  # Another system's packages can be named, and not be built.
  set = import ./set {
    inherit system;
    config.allowUnsupportedSystem = true;
  };

  stdenv = import ./stdenv.nix { inherit lib set system; };

  pkgs =
    stdenv
    // {
      inherit lib;
      inherit (set)
        bashInteractive
        cacert
        coreutils
        findutils
        git
        gnugrep
        gnused
        gnutar
        gzip
        iana-etc
        openssh
        python3
        ;
      # Debian's looks for its own programs in /usr.
      nix = stdenv.runCommand "nix" { meta.mainProgram = "nix"; } ''
        mkdir -p $out/bin
        for program in ${set.nix}/bin/*; do
          printf '%s\n' '#!${set.bashInteractive}/bin/bash' \
            'export NIX_LIBEXEC_DIR=${set.nix}/libexec' \
            "exec $program \"\$@\"" > $out/bin/''${program##*/}
          chmod 755 $out/bin/''${program##*/}
        done
      '';

      stdenv.hostPlatform = { inherit system; };

      python3Packages = import ./python.nix {
        inherit
          doCheck
          lib
          set
          stdenv
          ;
      };

      dockerTools = import ./docker-tools.nix { inherit set system; };

      testers.runNixOSTest = import ./vm-test.nix { inherit lib pkgs; };

      # A nixpkgs that nixos-tests/ names as a package set.
      path = ./.;
    }
    // lib.genAttrs [
      # What can be named only: nothing here runs it.
      "curl"
      "cmake"
      "fake-gcs-server"
      "nginx"
      "ninja"
      "nixfmt"
      "nixfmt-tree"
      "podman"
      "runc"
      "shellcheck"
      "skopeo"
      "strace"
      "systemd"
      "umoci"
      "uv"
    ] (name: stdenv.runCommand name { meta.mainProgram = name; } "mkdir $out")
    // {
      pkgsStatic.busybox = set.busybox;
    };
in
pkgs

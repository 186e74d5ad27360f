# For work on this project: `nix develop`. What scripts/test and scripts/lint look for is on PATH, so that
# they install nothing; Python's packages come from the locks, as everywhere.
{ pkgs }:
pkgs.mkShellNoCC {
  packages = [
    pkgs.git
    pkgs.nginx
    pkgs.nix
    pkgs.nixfmt
    pkgs.openssh
    pkgs.pkgsStatic.busybox
    pkgs.podman
    pkgs.python3
    pkgs.runc
    pkgs.shellcheck
    pkgs.skopeo
    pkgs.strace
    pkgs.umoci
    pkgs.uv
  ];
}

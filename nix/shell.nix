# Development shell, `nix develop`. Everything that scripts/test and scripts/lint need is on PATH, so they
# install nothing; Python packages come from the locks.
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

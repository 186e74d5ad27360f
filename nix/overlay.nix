# Overlay that adds the packages to nixpkgs: `pkgs.nixery-bin` and the others.
final: _: import ../default.nix { pkgs = final; }

# An overlay: adds our packages to a nixpkgs, `pkgs.nixery-bin` and the others.
final: _: import ../default.nix { pkgs = final; }

# An overlay: adds our packages to a nixpkgs. `nixery` there is the Go server; here it is this one.
final: _: import ../default.nix { pkgs = final; }

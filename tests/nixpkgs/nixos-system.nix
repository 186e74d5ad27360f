# lib.nixosSystem: our module among the options of NixOS that it knows, and the units as packages.
{ lib }:
{ modules }:
let
  system = lib.head (lib.filter (m: m ? nixpkgs) (lib.filter lib.isAttrs modules));
  pkgs = import ./. { system = system.nixpkgs.hostPlatform; };

  options = {
    options = lib.genAttrs [ "boot" "nixpkgs" ] (
      _:
      lib.mkOption {
        type = lib.types.attrsOf lib.types.anything;
        default = { };
      }
    );
  };
  config = import ./evaluate.nix { inherit lib pkgs; } (modules ++ [ options ]);
in
{
  config = config // {
    systemd = config.systemd // {
      units = lib.mapAttrs (name: text: {
        unit = pkgs.runCommand "unit-${name}" { inherit text; } ''
          mkdir $out
          printf '%s' "$text" > $out/${name}
        '';
      }) (import ./module/units.nix { inherit lib pkgs; } config.systemd.services config.systemd.timers);
    };
  };
}

# testers.runNixOSTest: its machines are evaluated, and nothing runs.
{ lib, pkgs }:
{
  name,
  nodes,
  testScript,
}:
let
  units =
    node:
    let
      config = import ./evaluate.nix { inherit lib pkgs; } [ node ];
    in
    import ./module/units.nix { inherit lib pkgs; } config.systemd.services config.systemd.timers;
in
pkgs.runCommand "vm-test-run-${name}" {
  inherit testScript;
  machines = builtins.toJSON (lib.mapAttrs (_: units) nodes);
  passAsFile = [
    "machines"
    "testScript"
  ];
} "mkdir $out"

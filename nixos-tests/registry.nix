# One registry, one client with podman.
{ set }:
{
  name = "nixery-registry";

  nodes.registry = import ./common.nix { inherit set; };

  nodes.client =
    { pkgs, ... }:
    {
      virtualisation.podman.enable = true;
      virtualisation.diskSize = 4096;
      environment.systemPackages = [ pkgs.curl ];
    };

  testScript = builtins.readFile ./registry.py;
}

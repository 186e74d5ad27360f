# What the service may and may not do on its machine.
{ set }:
{
  name = "nixery-hardening";

  nodes.registry =
    { ... }:
    {
      imports = [ (import ./common.nix { inherit set; }) ];
      # Of a path like this NixOS cannot know that everybody may read the file.
      environment.etc."nixery-netrc".text = "machine git.example.org login nixery password secret\n";
      services.nixery.source.netrcFile = "/etc/nixery-netrc";
    };

  testScript = builtins.readFile ./hardening.py;
}

# Configuration of every machine with a registry.
{ set }:
{ lib, ... }:
{
  imports = [ ../module.nix ];

  services.nixery = {
    enable = true;
    source.path = set;
    openFirewall = true;
    listenAddress = lib.mkDefault "0.0.0.0";
    # Some tests have a builder that sleeps for ever.
    timeout = 5;
  };

  nix.settings = {
    # Only root, and the users that the module adds.
    allowed-users = [ "root" ];
    # arm64 images need no other machine: the set's builder runs anywhere.
    extra-platforms = [ "aarch64-linux" ];
    substituters = lib.mkForce [ ];
  };

  virtualisation = {
    writableStore = true;
    memorySize = 2048;
    diskSize = 4096;
  };
}

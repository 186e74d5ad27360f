# What every machine of these tests has that runs a registry.
{ set }:
{ lib, ... }:
{
  imports = [ ../module.nix ];

  services.nixery = {
    enable = true;
    source.path = set;
    openFirewall = true;
    listenAddress = lib.mkDefault "0.0.0.0";
    # A builder that sleeps for ever is part of the tests.
    timeout = 5;
  };

  nix.settings = {
    # Nobody is allowed but root, and whom the module adds.
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

# The stand-in as the input `nixpkgs` of our flake.
{
  outputs =
    { self }:
    let
      lib = import ./lib.nix;
    in
    {
      lib = lib // {
        nixosSystem = import ./nixos-system.nix { inherit lib; };
      };
      legacyPackages = lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
      ] (system: import ./. { inherit system; });
    };
}

{
  description = "Nixery: a container registry that builds images on demand";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      forEachSystem =
        f:
        lib.genAttrs [
          "x86_64-linux"
          "aarch64-linux"
        ] (system: f nixpkgs.legacyPackages.${system});
    in
    {
      # `nix run` follows the package's meta.mainProgram: nixery.
      packages = forEachSystem (
        pkgs:
        let
          packages = import ./. { inherit pkgs; };
        in
        packages // { default = packages.nixery-bin; }
      );

      overlays.default = import ./nix/overlay.nix;

      # In a set, because Nix 2.8 takes no path here.
      nixosModules.default.imports = [ ./module.nix ];

      checks = forEachSystem (
        pkgs:
        import ./nix/checks.nix {
          inherit pkgs;
          module = self.nixosModules.default;
          packages = self.packages.${pkgs.stdenv.hostPlatform.system};
          inherit (lib) nixosSystem;
        }
      );

      devShells = forEachSystem (pkgs: {
        default = import ./nix/shell.nix { inherit pkgs; };
      });

      formatter = forEachSystem (pkgs: pkgs.nixfmt-tree);
    };
}

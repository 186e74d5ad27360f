{
  description = "Nixery: a container registry that builds images on demand";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

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
      packages = forEachSystem (
        pkgs:
        let
          packages = import ./. { inherit pkgs; };
        in
        packages // { default = packages.nixery-bin; }
      );

      # `nix run` serves; `nix run . -- gc --older-than 30d` runs another command.
      apps = forEachSystem (
        pkgs:
        let
          package = self.packages.${pkgs.stdenv.hostPlatform.system}.nixery-bin;
          serve = pkgs.writeShellScriptBin "nixery-serve" ''
            exec ${lib.getExe' package "nixery"} "''${@:-serve}"
          '';
        in
        {
          default = {
            type = "app";
            program = lib.getExe' serve "nixery-serve";
            meta.description = "Serve images until a signal ends it";
          };
        }
      );

      overlays.default = import ./nix/overlay.nix;

      # In a set, because Nix 2.8 does not accept a path here.
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

# What evaluation may do. Package sets are evaluated in Nix's restricted mode.
{ lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.services.nixery.evaluation = {
    allowedPaths = mkOption {
      type = types.listOf types.path;
      default = [ ];
      example = [ "/srv/overlays" ];
      description = "Further paths that evaluation may read, beside the package set's own.";
    };

    allowedUris = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "https://github.com/" ];
      description = "Prefixes of URIs that `fetchTarball` and its like may download.";
    };

    allowImportFromDerivation = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether evaluation may build what it then imports.";
    };

    config = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = {
        allowUnfree = true;
      };
      description = ''
        What the package set gets as `config`. Here belong `allowUnfree`, `allowBroken`,
        `allowInsecure` and `allowUnsupportedSystem`, which the server also takes as variables
        `NIXPKGS_ALLOW_…`.
      '';
    };
  };
}

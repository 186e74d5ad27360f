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

    confine = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Whether the kernel confines evaluation to the package set, the Nix store and its own
        temporary home, without network unless `allowedUris` asks for it. Without this only Nix's
        restricted mode stands between package sets and the service's files: see docs/security.md.
      '';
    };

    memory = mkOption {
      type = types.strMatching "[0-9.]+([KMGTP](iB|B)?)?";
      default = "4G";
      example = "2G";
      description = ''
        Address space that one evaluation may take; `0` for no limit. As many as `maxBuilds`
        evaluations run at once.
      '';
    };

    timeout = mkOption {
      type = types.ints.positive;
      default = 60;
      example = 30;
      description = "Seconds that the evaluation of one image's names may take.";
    };

    maxDots = mkOption {
      type = types.ints.unsigned;
      default = 4;
      example = 6;
      description = "Dots that the name of one package may have.";
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

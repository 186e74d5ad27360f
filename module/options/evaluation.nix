# Permissions and limits of evaluation, which runs in Nix's restricted mode.
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
      description = "Paths that evaluation may read in addition to the package set.";
    };

    overlays = mkOption {
      type = types.listOf types.path;
      default = [ ];
      example = [ "/srv/overlays" ];
      description = ''
        Overlays for a package set that takes the argument `overlays`, as nixpkgs does: files, and
        directories. A directory without a `default.nix` contains several.
      '';
    };

    nixPath = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = {
        nixpkgs = "/srv/nixpkgs";
      };
      description = "What `<nixpkgs>` and other names in angle brackets mean in the package set.";
    };

    allowedUris = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "https://github.com/" ];
      description = "Prefixes of URIs that `fetchTarball` and other fetchers may download.";
    };

    allowImportFromDerivation = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether evaluation may build derivations and import their outputs.";
    };

    confine = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Whether the kernel confines evaluation to the package set, the Nix store and its own
        temporary home, without network unless `allowedUris` is set. Without this, only Nix's restricted
        mode protects the service's files from package sets: see docs/security.md.
      '';
    };

    memory = mkOption {
      type = types.strMatching "[0-9.]+([KMGTP](iB|B)?)?";
      default = "2G";
      example = "4G";
      description = ''
        Address space for one evaluation; `0` for no limit. Up to `maxBuilds` evaluations run at
        once.
      '';
    };

    timeout = mkOption {
      type = types.ints.positive;
      default = 60;
      example = 30;
      description = "Seconds for the evaluation of one image's names.";
    };

    maxDots = mkOption {
      type = types.ints.unsigned;
      default = 4;
      example = 6;
      description = "Dots allowed in the name of a package.";
    };

    config = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = {
        allowUnfree = true;
      };
      description = ''
        The argument `config` of the package set, for example `allowUnfree`, `allowBroken`,
        `allowInsecure` or `allowUnsupportedSystem`. The server also accepts those as variables
        `NIXPKGS_ALLOW_…`.
      '';
    };
  };
}

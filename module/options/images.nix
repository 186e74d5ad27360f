# How images are made.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  cores =
    example: description:
    mkOption {
      type = types.nullOr types.ints.positive;
      default = null;
      inherit example description;
    };
in
{
  options.services.nixery = {
    maxBuilds = cores 4 "Images prepared at the same time; by default as many as there are cores.";

    queue = mkOption {
      type = types.ints.positive;
      default = 200;
      example = 50;
      description = ''
        New images that wait for their turn, and as many tags that wait to be looked up for the first
        time. More are answered 429 at once; images that were made before are still served.
      '';
    };

    packWorkers = cores 2 "Layers packed at the same time; by default as many as there are cores.";

    popularityUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://example.org/popularity.json";
      description = ''
        Where the table of popular packages comes from: `http`, `https` or `file`. The strategy
        `dominator` plans layers with it.
      '';
    };

    layering = {
      strategy = mkOption {
        type = types.enum [
          "units"
          "size"
          "dominator"
        ];
        default = "units";
        example = "size";
        description = ''
          Which store paths share a layer: `units` (what always comes together in what people ask
          for), `size` (the largest alone) or `dominator` (the classic).
        '';
      };

      budget = mkOption {
        type = types.ints.between 1 120;
        default = 94;
        example = 40;
        description = ''
          Layers of store paths in an image; one more holds what is the image's own. Docker's graph
          driver takes 125 in all.
        '';
      };
    };

    compression = {
      kind = mkOption {
        type = types.enum [
          "gzip"
          "zstd"
          "none"
        ];
        default = "gzip";
        example = "zstd";
        description = ''
          How layers are compressed. `zstd` makes smaller layers in less time, and is served to
          clients that read OCI manifests.
        '';
      };

      level = mkOption {
        type = types.nullOr (types.ints.between 1 19);
        default = null;
        example = 6;
        description = ''
          1 is fastest; 12 is smallest for `gzip`, 19 for `zstd`. Without it, what measured best for
          the kind.
        '';
      };
    };
  };
}

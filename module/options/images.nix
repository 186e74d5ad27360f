# How images are built.
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
    maxBuilds = cores 4 "Images prepared at the same time; by default the number of cores.";

    queue = mkOption {
      type = types.ints.positive;
      default = 200;
      example = 50;
      description = ''
        New images that may wait for their turn, and as many tags that may wait to be resolved for
        the first time. Further requests get a 429 at once; existing images are still served.
      '';
    };

    packWorkers = cores 2 "Layers packed at the same time; by default the number of cores.";

    popularityUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://example.org/popularity.json";
      description = ''
        URL of the table of popular packages: `http`, `https` or `file`. Only the strategy
        `dominator` uses it.
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
          Which store paths share a layer: `units` (paths that always occur together in requested
          images), `size` (the largest paths alone) or `dominator` (the Go server's method).
        '';
      };

      budget = mkOption {
        type = types.ints.between 1 120;
        default = 94;
        example = 40;
        description = ''
          Layers of store paths in an image, in addition to the environment layer. Docker's graph
          driver supports 125 in total.
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
          Compression of layers. `zstd` makes smaller layers in less time, and needs clients that
          accept OCI manifests.
        '';
      };

      level = mkOption {
        type = types.nullOr (types.ints.between 1 19);
        default = null;
        example = 6;
        description = ''
          1 is the fastest; the smallest is 12 for `gzip` and 19 for `zstd`. The default is the one
          that measured best.
        '';
      };
    };
  };
}

# An image as an archive that docker loads.
{ set, system }:
{
  buildLayeredImage =
    {
      name,
      tag,
      maxLayers,
      contents,
      includeNixDB,
      extraCommands,
      config,
    }:
    assert includeNixDB;
    derivation {
      name = "${name}.tar.gz";
      inherit system;
      __structuredAttrs = true;
      # Nix calls a builder by its base name, which Python finds itself by.
      builder = "${set.bashInteractive}/bin/bash";
      args = [
        "-c"
        "exec ${set.python3}/bin/python3 -B ${./build/image.py}"
      ];
      exportReferencesGraph.closure = contents;
      image = {
        inherit
          config
          contents
          extraCommands
          maxLayers
          name
          tag
          ;
      };
      tools = {
        bash = "${set.bashInteractive}/bin/bash";
        path = "${set.coreutils}/bin";
        nixStore = "${set.nix}/bin/nix-store";
      };
    }
    // {
      meta = { };
    };
}

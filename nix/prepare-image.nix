# The builder's command. It contains the path of the expressions, but not of Nix, which must match the
# host's daemon. The packaged Nix is for hosts without one.
{
  lib,
  runCommand,
  makeWrapper,
  coreutils,
  git,
  gnused,
  nix,
}:
let
  expressions = builtins.path {
    name = "nixery-expressions";
    path = ../nixery/expressions;
    filter = path: _: lib.hasSuffix ".nix" path;
  };
in
runCommand "nixery-prepare-image"
  {
    nativeBuildInputs = [ makeWrapper ];
    meta = {
      description = "What Nixery asks of Nix";
      license = lib.licenses.asl20;
      mainProgram = "nixery-prepare-image";
      platforms = lib.platforms.linux;
    };
  }
  ''
    mkdir -p $out/bin
    substitute ${../nixery/expressions/prepare-image.sh} $out/bin/nixery-prepare-image \
      --replace-fail @expressions@ ${expressions}
    chmod 755 $out/bin/nixery-prepare-image
    wrapProgram $out/bin/nixery-prepare-image --suffix PATH : ${
      lib.makeBinPath [
        nix
        git
        coreutils
        gnused
      ]
    }
  ''

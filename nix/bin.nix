# The server with its wrapper: the builder is first on PATH, and the host's Nix, git and ssh come before the
# packaged ones.
{
  lib,
  runCommand,
  makeWrapper,
  git,
  nix,
  nixery,
  nixery-prepare-image,
  openssh,
}:
runCommand "nixery-bin-${nixery.version}"
  {
    nativeBuildInputs = [ makeWrapper ];
    inherit (nixery) version;
    passthru = { inherit nixery; };
    meta = {
      inherit (nixery.meta)
        changelog
        description
        license
        mainProgram
        platforms
        ;
    };
  }
  ''
    mkdir -p $out/bin
    makeWrapper ${nixery}/bin/nixery $out/bin/nixery \
      --prefix PATH : ${nixery-prepare-image}/bin \
      --suffix PATH : ${
        lib.makeBinPath [
          nix
          git
          openssh
        ]
      }
    ln -s ${nixery-prepare-image}/bin/nixery-prepare-image $out/bin
  ''

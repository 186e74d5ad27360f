# Builders that are shell scripts.
{
  lib,
  set,
  system,
}:
let
  # The keys of nixpkgs' meta that are used here; checkMeta refuses what it does not know, too.
  checked =
    {
      description ? null,
      changelog ? null,
      homepage ? null,
      license ? null,
      mainProgram ? null,
      platforms ? null,
    }@meta:
    meta;

  runCommand =
    name:
    {
      meta ? { },
      passthru ? { },
      nativeBuildInputs ? [ ],
      ...
    }@attributes:
    script:
    let
      drv = derivation (
        removeAttrs attributes [
          "meta"
          "passthru"
        ]
        // {
          inherit name nativeBuildInputs system;
          builder = "${set.bashInteractive}/bin/bash";
          args = [
            "-euo"
            "pipefail"
            ./build/setup.sh
          ];
          PATH = lib.makeBinPath [
            set.coreutils
            set.diffutils
            set.findutils
            set.gnused
            set.gnugrep
            set.gnutar
            set.gzip
            set.bashInteractive
          ];
          inherit script;
          passAsFile = [ "script" ];
        }
      );
    in
    builtins.seq (checked meta) (drv // passthru // { inherit meta; });

  program =
    name: text:
    runCommand name
      {
        inherit text;
        meta.mainProgram = name;
      }
      ''
        mkdir -p $out/bin
        printf '%s\n' '#!${set.bashInteractive}/bin/bash' "$text" > $out/bin/${name}
        chmod 755 $out/bin/${name}
        bash -n $out/bin/${name}
      '';
in
{
  inherit runCommand;

  writeShellScriptBin = program;

  writeText = name: text: builtins.toFile name text;

  makeWrapper = runCommand "make-wrapper" { } ''
    mkdir -p $out/nix-support
    substitute ${./build/wrapper.sh} $out/nix-support/setup-hook \
      --replace-fail @bash@ ${set.bashInteractive}/bin/bash
  '';

  mkShellNoCC = { packages }: runCommand "shell" { inherit packages; } "mkdir $out";
}

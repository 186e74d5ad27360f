# How the tiny set builds: every package is a busybox shell script, and has the attributes that
# nixpkgs' mkDerivation gives (outputs, meta with its flags, refusals).
{ system, config }:
let
  inherit (builtins)
    concatStringsSep
    elem
    filter
    head
    listToAttrs
    map
    seq
    toString
    ;

  # Debian's static busybox, put here when the set is made (tests/support/tiny_set.py).
  boot = builtins.path {
    name = "busybox-boot";
    path = ./boot;
  };

  # Another salt makes other store paths of the same packages: nothing of them is built yet.
  salt = config.salt or "";

  run =
    name: attributes: script:
    derivation (
      {
        inherit
          name
          system
          salt
          script
          ;
        builder = "${boot}/busybox";
        passAsFile = [ "script" ];
        # Nix kills a builder whose log has ended, so the shell must outlive the last command: ":".
        args = [
          "sh"
          "-euc"
          "bb() { ${boot}/busybox \"$@\"; }; . $scriptPath; :"
        ];
      }
      // attributes
    );

  refuse =
    name: why:
    throw "Package ‘${name}’ in ${toString ./default.nix}:1 ${why}, refusing to evaluate.\n\na) There are ways to allow it.";

  withMeta =
    drv: meta:
    drv
    // {
      pname = drv.name;
      meta = {
        outputsToInstall = [ "out" ];
      }
      // meta;
    };

  shell = run "bash-5.2" { } ''
    bb mkdir -p $out/bin
    bb cp ${boot}/busybox $out/bin/busybox
    bb ln -s busybox $out/bin/sh
    # Debian's busybox does not know that name.
    bb printf '#!%s/bin/sh\nexec %s/bin/sh "$@"\n' $out $out > $out/bin/bash
    bb chmod 755 $out/bin/bash
  '';

  package =
    {
      pname,
      version ? "1.0",
      outputs ? [ "out" ],
      deps ? [ ],
      bins ? [ pname ],
      size ? 0, # bytes of data
      script ? "",
      meta ? { },
    }:
    let
      name = "${pname}-${version}";
      flags = {
        unfree = meta.unfree or false;
        broken = meta.broken or false;
        insecure = meta.knownVulnerabilities or [ ] != [ ];
        unsupported = meta ? platforms && !(elem system meta.platforms);
      };
      checked =
        if flags.unfree && !(config.allowUnfree or false) then
          refuse name "has an unfree license (‘unfree’)"
        else if flags.broken && !(config.allowBroken or false) then
          refuse name "is marked as broken"
        else if flags.unsupported && !(config.allowUnsupportedSystem or false) then
          refuse name "is not available on the requested hostPlatform"
        else if flags.insecure && !((config.allowInsecurePredicate or (_: false)) { inherit name; }) then
          refuse name "is marked as insecure"
        else
          null;

      program = bin: ''
        bb printf '#!%s/bin/sh\n# of %s\necho ${bin} ${version} "$@"\n' ${shell} $out > $bins/${bin}
        bb chmod 755 $bins/${bin}
      '';
      drv =
        run name
          {
            inherit outputs;
            deps = map toString deps;
          }
          ''
            for output in $outputs; do eval "bb mkdir -p \$$output"; done
            bins=''${bin:-$out}/bin
            bb mkdir -p $bins $out/share/${pname} $out/nix-support
            for dep in $deps; do echo $dep; done > $out/nix-support/deps
            ${concatStringsSep "\n" (map program bins)}
            ${
              if size > 0 then
                "bb seq 1 ${toString size} | bb head -c ${toString size} > $out/share/${pname}/data"
              else
                ""
            }
            if [ -n "''${man:-}" ]; then bb mkdir -p $man/share/man/man1; echo .TH ${pname} > $man/share/man/man1/${pname}.1; fi
            if [ -n "''${dev:-}" ]; then bb mkdir -p $dev/include; echo "/* $out */" > $dev/include/${pname}.h; fi
            ${script}
          '';

      shown = listToAttrs (
        map (o: {
          name = o;
          value = output o // {
            outputSpecified = true;
          };
        }) outputs
      );
      output =
        outputName:
        shown
        // {
          inherit
            pname
            version
            name
            outputs
            system
            outputName
            ;
          type = "derivation";
          drvPath = seq checked drv.drvPath;
          outPath = seq checked drv.${outputName}.outPath;
          meta =
            flags
            // {
              outputsToInstall = [
                (if elem "bin" outputs then "bin" else "out")
              ]
              ++ filter (o: o == "man") outputs;
            }
            // meta;
        };
    in
    output (head outputs);

  applets =
    pname: names:
    withMeta (run "${pname}-9.1" { } ''
      bb mkdir -p $out/bin
      for name in ${names}; do bb ln -s ${shell}/bin/busybox $out/bin/$name; done
    '') { };
in
{
  inherit
    run
    withMeta
    shell
    package
    applets
    boot
    ;
}

# A package set made out of Debian packages, shaped like nixpkgs:
#
#   import ./. { system = "x86_64-linux"; }
#
# Needs beside it what scripts/demo writes: set.json, debs/, busybox/. The folder demo/ of the
# project holds the code only.
{
  system ? (builtins.fromJSON (builtins.readFile ./set.json)).system,
  config ? { },
  # What else nixpkgs takes is accepted and has no effect.
  ...
}:
let
  inherit (builtins)
    attrNames

    elem
    filter
    foldl'
    fromJSON
    head
    isString
    listToAttrs
    map
    mapAttrs
    readFile

    split
    tail
    toJSON
    ;

  set = fromJSON (readFile ./set.json);

  # With the hash given, a file is read only where the store does not hold it yet. (A
  # builtin:fetchurl of a file:// address fails inside the build sandbox.)
  deb =
    d:
    builtins.path {
      inherit (d) name sha256;
      path = ./debs + "/${d.file}";
      recursive = false;
    };

  busybox = builtins.path {
    name = "busybox-static";
    path = ./busybox;
  };

  builder = builtins.path {
    name = "demo-builder";
    path = ./builder;
  };

  # Debian's python and patchelf, unpacked and not patched: they run through their own loader.
  boot = derivation {
    name = "demo-boot";
    system = set.system;
    builder = "${busybox}/busybox";
    # "; :" keeps the shell as the parent: Nix kills a builder whose log ends.
    args = [
      "sh"
      "-euc"
      ''
        bb=${busybox}/busybox
        $bb mkdir -p $out
        for d in $debs; do $bb dpkg-deb -x $d $out; done
        $bb rm -rf $out/usr/share
        lib=$out/lib/${set.triplet}
        PYTHONHOME=$out/usr $lib/ld-linux-x86-64.so.2 \
          --library-path $lib:$out/usr/lib/${set.triplet} \
          $out/usr/bin/${set.boot.python} -I -B ${builder}/precompile.py
        :
      ''
    ];
    debs = map deb set.boot.debs;
  };
  libraries = "${boot}/lib/${set.triplet}:${boot}/usr/lib/${set.triplet}";

  refuse =
    name: why: throw "Package ‘${name}’ in ${toString ./default.nix} ${why}, refusing to evaluate.";

  # "glibc.out" and the like
  place =
    name:
    let
      parts = filter isString (split "\\." name);
      output = foldl' (_: part: part) "" parts;
      node = builtins.substring 0 (builtins.stringLength name - builtins.stringLength output - 1) name;
    in
    built.${node}.${output};

  built = mapAttrs build set.nodes;

  build =
    node: v:
    derivation {
      name = "${v.pname}-${v.version}";
      inherit system;
      inherit (v) outputs;
      builder = "${boot}/lib/${set.triplet}/ld-linux-x86-64.so.2";
      args = [
        "--library-path"
        libraries
        "${boot}/usr/bin/${set.boot.python}"
        "-I"
        "-B"
        builder
      ];
      PYTHONHOME = "${boot}/usr";
      inherit boot;
      debs = map deb v.debs;
      depNames = v.deps;
      depPaths = map place v.deps;
      spec = toJSON {
        inherit node;
        inherit (v) depends links wrap;
        debOutputs = map (d: d.output) v.debs;
      };
      passAsFile = [ "spec" ];
    };

  # As mkDerivation does: every output is the whole package again, and meta can be read even where
  # the package itself is refused.
  package =
    node: v:
    let
      name = "${v.pname}-${v.version}";
      supported = system == set.system;
      drv = built.${node};
      checked =
        if supported || config.allowUnsupportedSystem or false then
          drv
        else
          refuse name "is not available on the requested hostPlatform";
      meta = {
        inherit (v) description;
        homepage = v.homepage;
        platforms = [ set.system ];
        outputsToInstall = [
          (if elem "bin" v.outputs then "bin" else "out")
        ]
        ++ filter (o: o == "man") v.outputs;
        inherit name;
        position = "${toString ./default.nix}:1";
        # Debian's main holds free software only.
        license = {
          free = true;
          fullName = "see the copyright file of Debian's package";
        };
        unfree = false;
        broken = false;
        insecure = false;
        unsupported = !supported;
        available = supported;
      }
      // (if v.mainProgram == null then { } else { inherit (v) mainProgram; });
      common = {
        inherit (v) pname version outputs;
        inherit name system meta;
        type = "derivation";
        drvPath = checked.drvPath;
        all = map (o: outputs.${o}) v.outputs;
      };
      select =
        outputName:
        outputs
        // common
        // {
          inherit outputName;
          outPath = checked.${outputName}.outPath;
        };
      outputs = listToAttrs (
        map (o: {
          name = o;
          value = select o;
        }) v.outputs
      );
    in
    select (head v.outputs);

  packages = mapAttrs package set.nodes;

  # { "xorg.xev" = "x11-utils"; } → { xorg.xev = …; }
  nested = foldl' (
    found: name:
    let
      path = filter isString (split "\\." name);
      group = head path;
    in
    found
    // {
      ${group} = (found.${group} or { recurseForDerivations = true; }) // {
        ${head (tail path)} = packages.${set.nested.${name}};
      };
    }
  ) { } (attrNames set.nested);
in
mapAttrs (_: node: packages.${node}) set.attrs // nested // { inherit config system; }

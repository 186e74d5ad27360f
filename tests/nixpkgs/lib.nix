# The lib of tests/module, and what packages use beside it.
let
  lib = import ./module/lib;
in
lib
// {
  inherit (builtins) baseNameOf;

  licenses = {
    asl20.spdxId = "Apache-2.0";
    mit.spdxId = "MIT";
  };
  platforms.linux = [
    "x86_64-linux"
    "aarch64-linux"
  ];

  removePrefix =
    prefix: text:
    if lib.hasPrefix prefix text then
      builtins.substring (builtins.stringLength prefix) (-1) text
    else
      text;
  range = first: last: builtins.genList (n: first + n) (last - first + 1);
  toInt = builtins.fromJSON;

  callPackageWith =
    pkgs: file: arguments:
    let
      f = import file;
    in
    f (builtins.intersectAttrs (builtins.functionArgs f) pkgs // arguments);

  cleanSourceWith =
    {
      src,
      filter,
      name,
    }:
    {
      inherit name;
      outPath = builtins.path {
        inherit filter name;
        path = src;
      };
    };
}

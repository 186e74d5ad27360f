# The tiny set of the tests (beside this file), and what strangers make of a package set.
{
  system ? "x86_64-linux",
  config ? { },
  overlays ? [ ],
}:
let
  inherit (builtins)
    foldl'
    genList
    length
    listToAttrs
    toString
    ;
  build = import ./tiny/build.nix { inherit system config; };

  # Each has to be evaluated and built.
  strangers = listToAttrs (
    genList (number: rec {
      name = "stranger${toString number}";
      value = build.package { pname = name; };
    }) 20000
  );

  # Takes some gigabytes, and then a core for as long as it may.
  bomb =
    let
      kept = genList (number: { inherit number; }) 10000000;
      spin = turn: if foldl' (sum: item: sum + item.number) turn kept < 0 then 0 else spin (turn + 1);
    in
    build.package {
      pname = "bomb";
      script = toString (length kept + spin 0);
    };

  # Prints 1 GB.
  chatty = build.package {
    pname = "chatty";
    script = "bb yes 'some line of a build that has much to say, 80 characters of it, again and again' | bb head -c 1000000000 || :";
  };
in
import ./tiny { inherit system config overlays; } // strangers // { inherit bomb chatty; }
